import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Plugin, Rollup } from 'vite';

type Bundle = Rollup.OutputBundle;
type Page = [pattern: string, inside: boolean, files: string[], wide: string[]];

/** What a page loads by itself as soon as it is there, beside what it imports. */
const SOON: Record<string, string[]> = {
  'workflow/edit': ['editor/workflow-editor'],
};
/** The same, where there is room to show it: not on a phone. */
const SOON_WIDE: Record<string, string[]> = {
  'runs/view': ['graph/graph'],
  'workflow/edit': ['editor/text-edit', 'graph/graph'],
};
const FRAME_WIDE = 'app/rail';

const read = (path: string) => readFileSync(new URL(`../src/${path}`, import.meta.url), 'utf8');

/** Addresses and modules of pages, outermost first, as the router has them. */
export function routesOf(source: string): { path: string; inside: boolean; modules: string[] }[] {
  const known = new Map<string, { path: string; inside: boolean; modules: string[] }>();
  for (const [, name = '', body = ''] of source.matchAll(/^const (\w+) = createRoute\(\{(.*?)\}\);$/gms)) {
    const parent = known.get(/getParentRoute: \(\) => (\w+)/.exec(body)?.[1] ?? '');
    const path = /\bpath: '([^']*)'/.exec(body)?.[1] ?? '';
    const module = /import\('@\/([^']+)'\)/.exec(body)?.[1];
    known.set(name, {
      path: `${parent?.path ?? ''}${path}`.replace(/\/+$/, ''),
      inside: name === 'inside' || (parent?.inside ?? false),
      modules: [...(parent?.modules ?? []), ...(module ? [module] : [])],
    });
  }
  // A page that stands at the address of its frame comes after it.
  return [...new Map([...known.values()].filter((route) => route.modules.length > 0).map((route) => [route.path, route])).values()];
}

function chunkOf(bundle: Bundle, module: string): Rollup.OutputChunk {
  for (const file of Object.values(bundle)) {
    if (file.type === 'chunk' && file.moduleIds.some((id) => new RegExp(`/src/${module}\\.tsx?$`).test(id))) return file;
  }
  throw new Error(`no chunk has ${module}`);
}

function filesOf(bundle: Bundle, chunk: Rollup.OutputChunk, found = new Set<string>()): Set<string> {
  if (found.has(chunk.fileName)) return found;
  found.add(chunk.fileName);
  for (const style of chunk.viteMetadata?.importedCss ?? []) found.add(style);
  for (const name of chunk.imports) {
    const other = bundle[name];
    if (other?.type === 'chunk') filesOf(bundle, other, found);
  }
  return found;
}

/** For each kind of address the files to ask for at once; those without a variable part stand first. */
function pagesOf(bundle: Bundle): Page[] {
  const entry = Object.values(bundle).find((file): file is Rollup.OutputChunk => file.type === 'chunk' && file.isEntry);
  if (!entry) throw new Error('the bundle has no entry');
  const always = filesOf(bundle, entry);
  const pages = routesOf(read('app/router.tsx')).map(({ path, inside, modules }): Page => {
    const of = (soon: Record<string, string[]>) => modules.flatMap((module) => soon[module.replace('pages/', '')] ?? []);
    const files = new Set(always);
    for (const module of [...modules, ...of(SOON)]) filesOf(bundle, chunkOf(bundle, module), files);
    const wide = new Set(files);
    for (const module of [...(inside ? [FRAME_WIDE] : []), ...of(SOON_WIDE)]) filesOf(bundle, chunkOf(bundle, module), wide);
    return [path.replaceAll(/\$\w+/g, '[^/]+') || '/', inside, [...files].filter((file) => !always.has(file)), [...wide].filter((file) => !files.has(file))];
  });
  return pages.sort(([a], [b]) => a.split('[').length - b.split('[').length);
}

/**
 * A script that blocks: the theme has to stand before anything is painted, and what a page needs is asked for before the program that would
 * ask for it has been read. Inline scripts are forbidden, so it is a file of its own.
 */
export function firstPage(): Plugin {
  let made = { name: '', source: '' };
  return {
    name: 'first-page',
    apply: 'build',
    transformIndexHtml: {
      order: 'post',
      handler(html, { bundle }) {
        const source = read('app/first.js').replaceAll('PAGES.', `${JSON.stringify(pagesOf(bundle ?? {}))}.`);
        made = { name: `assets/first-${createHash('sha256').update(source).digest('hex').slice(0, 8)}.js`, source };
        // Behind what says how wide the page is: before that a phone passes for a desk.
        const parts = /^([^]*?<meta name="viewport"[^>]*>)([^]*)$/.exec(html);
        if (!parts) throw new Error('the page does not say how wide it is');
        return `${parts[1]}\n    <script src="/${made.name}"></script>${parts[2]}`;
      },
    },
    generateBundle: {
      order: 'post',
      handler() {
        this.emitFile({ type: 'asset', fileName: made.name, source: made.source });
      },
    },
  };
}
