// Every text stands in src/i18n, every colour in src/styles.css, and nothing stands there for nobody.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { t } from '@/i18n/en';

const folder = fileURLToPath(new URL('../src/', import.meta.url));
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.tsx?$/.test(name) && !name.endsWith('.d.ts'))
  .map((name) => ({ name, text: readFileSync(folder + name, 'utf8') }));
const code = files.filter(({ name }) => !name.startsWith('i18n/'));
/** Without comments, so that what they say is no text. */
const bare = (text: string) => text.replaceAll(/\/\*[^]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '');

it('no component has words of its own', () => {
  const found = code
    .filter(({ name }) => name.endsWith('.tsx'))
    .flatMap(({ name, text }) =>
      [...bare(text).matchAll(/^\s*([A-Z][a-z]+( [a-z]+)+[.!?]?)\s*$|>\s*([A-Z][a-z]+[^<>{}=;()]*)<\/|\b(?:aria-label|title|placeholder|alt|label)="([^"]*[a-z][^"]*)"/gm)].map((match) => `${name}: ${match[0].trim()}`),
    );
  expect(found).toEqual([]);
});

it('no component has colours of its own', () => {
  const found = code.flatMap(({ name, text }) => [...bare(text).matchAll(/['"`\s[]#(?:[\da-f]{3}|[\da-f]{6}|[\da-f]{8})\b(?![\w/])|\brgba?\(|\bhsla?\(/gi)].map((match) => `${name}: ${match[0]}`));
  expect(found).toEqual([]);
});

it('every text is shown somewhere', () => {
  const all = code.map(({ text }) => text).join('\n');
  /** Lists and tables are shown as a whole, by whoever names them. */
  const unused = (value: unknown, path: string[]): string[] => {
    const name = path.at(-1) ?? '';
    const named = new RegExp(`\\b${name}\\b`).test(all);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return named ? [] : [path.join('.')];
    const members = Object.entries(value);
    const below = members.flatMap(([key, member]) => unused(member, [...path, key]));
    // Chosen by a name that only the server knows, or gone through.
    const place = `\\bt\\.${path.join('\\.')}\\b`;
    const chosen = new RegExp(`${place}( as |\\[|\\.map\\()|Object\\.(entries|hasOwn|keys|values)\\(${place}[,)]`).test(all);
    return chosen && path.length > 0 ? [] : below;
  };
  expect(unused(t, [])).toEqual([]);
});
