// Journeys through the real server in Debian's Chromium, and axe on every page. `run.mjs [NAME...]` runs only what is named so.
import { axe, startBrowser } from './browser.mjs';
import { startServer } from './server.mjs';
import { tests } from './tests.mjs';

const wanted = process.argv.slice(2);
const server = await startServer();
const browser = await startBrowser(server.base);
const world = { server, browser, axe };
let passed = 0;
const failed = [];
try {
  for (const [name, test] of tests) {
    // The first makes the account that the others use.
    if (wanted.length > 0 && passed > 0 && !wanted.some((part) => name.includes(part))) continue;
    const started = performance.now();
    try {
      await test(world);
      const problems = browser.problems.splice(0);
      if (problems.length > 0) throw new Error(problems.join('\n'));
      passed += 1;
      console.log(`ok      ${name} (${Math.round(performance.now() - started)} ms)`);
    } catch (error) {
      failed.push(name);
      const where = world.page?.url() ?? '';
      const seen = await world.page?.locator('body').ariaSnapshot().catch(() => '');
      console.log(`FAILED  ${name}\n${error instanceof Error ? error.stack : error}\nat ${where}\n${seen}`);
      if (passed === 0) break;
    }
  }
} finally {
  await browser.stop();
  await server.stop();
}
console.log(`${passed} passed, ${failed.length} failed`);
process.exitCode = failed.length === 0 ? 0 : 1;
