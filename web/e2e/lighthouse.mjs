// Lighthouse over every page, signed in, on the real server: `scripts/web lighthouse [desktop|mobile] [NAME...]`. Fails where a score is too low.
// What it says of performance holds on a machine that does nothing else; a page that is too slow is looked at a second and a third time.
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { executable, FLAGS } from './browser.mjs';
import { inside, outside } from './pages.mjs';
import { startUsed } from './seed.mjs';
import { chromium } from 'playwright-core';

const tools = createRequire(new URL('../tools/package.json', import.meta.url));
const { default: lighthouse, desktopConfig } = await import(pathToFileURL(tools.resolve('lighthouse')).href);

const CATEGORIES = ['performance', 'accessibility', 'best-practices'];
/** Pages that draw a graph or hold the editor may be slower on a phone. */
const HEAVY = new Set(['editor', 'older version', 'tasks of versions', 'new from a sample', 'run', 'timeline', 'values', 'log', 'agent', 'agent in detail']);
const least = (form, name, category) => (form === 'desktop' ? 95 : category !== 'performance' ? 90 : HEAVY.has(name) ? 80 : 90);
const TRIES = Number(process.env.LIGHTHOUSE_TRIES ?? 3);

const freePort = () =>
  new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });

const args = process.argv.slice(2);
const forms = ['desktop', 'mobile'].filter((form) => args.length === 0 || !args.some((one) => one === 'desktop' || one === 'mobile') || args.includes(form));
const wanted = args.filter((one) => one !== 'desktop' && one !== 'mobile');
const used = await startUsed();
const profile = mkdtempSync(join(tmpdir(), 'pawl-lighthouse-'));
const port = await freePort();
const chrome = await chromium.launchPersistentContext(profile, { executablePath: executable(), headless: true, args: [...FLAGS, `--remote-debugging-port=${port}`] });
let missed = 0;

async function look(form, { name, path }) {
  const best = {};
  let audits = {};
  for (let at = 0; at < TRIES; at += 1) {
    const { lhr } = await lighthouse(used.server.base + path, { port, onlyCategories: CATEGORIES, disableStorageReset: true, logLevel: 'error' }, form === 'desktop' ? desktopConfig : undefined);
    for (const category of CATEGORIES) best[category] = Math.max(best[category] ?? 0, Math.round((lhr.categories[category].score ?? 0) * 100));
    ({ audits } = lhr);
    if (CATEGORIES.every((category) => best[category] >= least(form, name, category))) break;
  }
  const figure = (id) => audits[id]?.displayValue?.replaceAll('\u00a0', ' ') ?? '-';
  console.log(`${form.padEnd(8)}${name.padEnd(20)}${CATEGORIES.map((category) => String(best[category]).padStart(4)).join('')}   LCP ${figure('largest-contentful-paint')}, TBT ${figure('total-blocking-time')}, CLS ${figure('cumulative-layout-shift')}`);
  const low = CATEGORIES.filter((category) => best[category] < least(form, name, category));
  if (low.length === 0) return;
  missed += 1;
  const faults = Object.values(audits).filter((audit) => audit.score !== null && audit.score < 0.9 && ['binary', 'numeric', 'metricSavings'].includes(audit.scoreDisplayMode));
  for (const audit of faults) console.log(`        ${audit.id}: ${audit.displayValue ?? ''} ${(audit.details?.items ?? []).slice(0, 3).map((item) => item.node?.selector ?? item.description ?? item.source ?? '').join(' | ')}`);
}

try {
  const signedIn = await used.page.context().cookies();
  console.log(`${'form'.padEnd(8)}${'page'.padEnd(20)}perf a11y best`);
  for (const form of forms) {
    for (const [places, cookies] of [[outside, []], [inside(used), signedIn]]) {
      await chrome.clearCookies();
      await chrome.addCookies(cookies);
      for (const place of places) if (wanted.length === 0 || wanted.some((part) => place.name.includes(part))) await look(form, place);
    }
  }
} finally {
  await chrome.close();
  await used.stop();
  rmSync(profile, { recursive: true, force: true });
}
console.log(missed === 0 ? 'all scores are reached' : `${missed} pages miss a score`);
process.exitCode = missed === 0 ? 0 : 1;
