// Journeys through the real server in Debian's Chromium, and axe on every page. `run.mjs [NAME...]` runs only what is named so, `run.mjs journeys` all
// but the walk through the pages.
import { axe, startBrowser } from './browser.mjs';
import { walk, walks } from './pages.mjs';
import { startServer } from './server.mjs';
import { tests } from './tests.mjs';

const journeys = process.argv[2] === 'journeys';
const wanted = process.argv.slice(journeys ? 3 : 2);
const LANES = 3;
const asked = (name) => wanted.length === 0 || wanted.some((part) => name.includes(part));
const server = await startServer();
const browser = await startBrowser(server.base);
const world = { server, browser, axe };
let passed = 0;
const failed = [];

async function attempt(name, act, page) {
  const started = performance.now();
  try {
    await act();
    passed += 1;
    console.log(`ok      ${name} (${Math.round(performance.now() - started)} ms)`);
  } catch (error) {
    failed.push(name);
    const where = page()?.url() ?? '';
    const seen = await page()?.locator('body').ariaSnapshot().catch(() => '');
    console.log(`FAILED  ${name}\n${error instanceof Error ? error.stack : error}\nat ${where}\n${seen}`);
  }
}

function noProblems() {
  const problems = browser.problems.splice(0);
  if (problems.length > 0) throw new Error(problems.join('\n'));
}

/** Pages side by side: nothing that one of them does changes what the others show. */
async function lookAtPages() {
  const queue = walks.filter(({ name }) => asked(name));
  if (queue.length === 0) return;
  world.stranger = await browser.person();
  const lane = async () => {
    const pages = {};
    for (let next = queue.shift(); next; next = queue.shift()) {
      const { name, who, path } = next;
      pages[who] ??= await browser.open(world[who].context());
      await attempt(name, () => walk(pages[who], axe, path(world)), () => pages[who]);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  await attempt('no page has an error in its console, breaks its policy or asks elsewhere', noProblems, () => null);
}

try {
  for (const [name, test] of tests) {
    // The first makes the account that the others use.
    if (passed > 0 && !asked(name)) continue;
    await attempt(
      name,
      async () => {
        // A page behind one that the last journey opened may draw no frames, and nothing in it would ever count as at rest.
        await world.page?.bringToFront();
        await test(world);
        noProblems();
      },
      () => world.page,
    );
    if (passed === 0) break;
  }
  if (passed > 0 && !journeys) await lookAtPages();
} finally {
  await browser.stop();
  await server.stop();
}
console.log(`${passed} passed, ${failed.length} failed`);
process.exitCode = failed.length === 0 ? 0 : 1;
