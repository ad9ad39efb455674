// Lighthouse over every page, signed in, on the real server: `scripts/web lighthouse [desktop|mobile] [NAME...]`. Fails where a score is too low.
// What it says of performance holds on a machine that does nothing else; a page that is too slow is looked at a second and a third time.
// A phone is this machine, slowed down: by how much depends on the machine (Lighthouse's docs/throttling.md, "Calibrating the CPU slowdown"), so that
// it is the same phone everywhere. LIGHTHOUSE_SLOWDOWN=4 is what Lighthouse takes where nobody says.
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

/** The curve of Lighthouse's calculator: how much slower than a machine of this index the phone is. */
function slowdownFor(index) {
  if (index >= 1300) return 3 + (index - 1300) / 233;
  if (index >= 800) return 2 + (index - 800) / 500;
  return Math.max(1, 1 + (index - 150) / 650);
}
/** Lighthouse's own phone and its network, with another slowdown. */
const phone = (slowdown) => ({ extends: 'lighthouse:default', settings: { throttling: { rttMs: 150, throughputKbps: 1638.4, requestLatencyMs: 562.5, downloadThroughputKbps: 1474.56, uploadThroughputKbps: 675, cpuSlowdownMultiplier: slowdown } } });

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
let slowdown = Number(process.env.LIGHTHOUSE_SLOWDOWN ?? 0);

async function look(form, { name, path }) {
  const best = {};
  let audits = {};
  for (let at = 0; at < TRIES; at += 1) {
    const { lhr } = await lighthouse(used.server.base + path, { port, onlyCategories: CATEGORIES, disableStorageReset: true, logLevel: 'error' }, form === 'desktop' ? desktopConfig : phone(slowdown));
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
  // The best of three: what else the machine does makes it look slower than it is, and the phone faster.
  const indices = [];
  for (let at = 0; at < 3; at += 1) indices.push((await lighthouse(`${used.server.base}/login`, { port, onlyCategories: ['best-practices'], logLevel: 'error' }, desktopConfig)).lhr.environment.benchmarkIndex);
  slowdown ||= Math.round(slowdownFor(Math.max(...indices)) * 10) / 10;
  console.log(`this machine has the benchmark index ${indices.map(Math.round).join(', ')}; the phone is ${slowdown} times slower`);
  console.log(`${'form'.padEnd(8)}${'page'.padEnd(20)}perf a11y best`);
  for (const form of forms) {
    for (const [places, cookies] of [[outside, []], [inside(used), signedIn]]) {
      await chrome.clearCookies();
      await chrome.addCookies(cookies);
      // Lighthouse looks at no page that is answered with 404.
      for (const place of places) if (place.name !== 'nowhere' && (wanted.length === 0 || wanted.some((part) => place.name.includes(part)))) await look(form, place);
    }
  }
} finally {
  await chrome.close();
  await used.stop();
  rmSync(profile, { recursive: true, force: true });
}
console.log(missed === 0 ? 'all scores are reached' : `${missed} pages miss a score`);
process.exitCode = missed === 0 ? 0 : 1;
