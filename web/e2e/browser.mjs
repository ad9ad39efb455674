// Debian's Chromium under Playwright, and what every page must not do: errors in the console, broken policy, requests to elsewhere.
import { execFileSync } from 'node:child_process';
import axeCore from 'axe-core';
import { chromium } from 'playwright-core';

export const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', '--disable-default-apps', '--no-default-browser-check'];
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

export const executable = () => process.env.CHROMIUM ?? execFileSync('sh', ['-c', 'command -v chromium']).toString().trim();

// A journey that does not wait for what it looks at passes where answers are quick: each request leaves so many ms late, each page works so many times
// slower.
const LATE = Number(process.env.PAWL_E2E_LATE ?? 0);
const SLOW = Number(process.env.PAWL_E2E_SLOW ?? 1);

export async function startBrowser(base) {
  const chrome = await chromium.launch({ executablePath: executable(), headless: true, args: FLAGS });
  const problems = [];

  /** Somebody with cookies and a store of their own: nothing is shared with the others. */
  async function person(options = {}) {
    const context = await chrome.newContext({ baseURL: base, reducedMotion: 'reduce', viewport: { width: 1366, height: 850 }, ...options });
    context.setDefaultTimeout(20_000);
    await context.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) => console.error(`policy: ${event.violatedDirective} ${event.sourceFile} ${event.blockedURI}`));
    });
    context.on('request', (request) => {
      if (!request.url().startsWith(base) && !/^(data|blob):/.test(request.url())) problems.push(`request to ${request.url()}`);
    });
    if (LATE > 0) {
      await context.route('**/api/**', async (route) => {
        await new Promise((resolve) => setTimeout(resolve, LATE));
        await route.continue().catch(() => {});
      });
    }
    return open(context);
  }

  /** Another page of the same person. */
  async function open(context) {
    const page = await context.newPage();
    if (SLOW > 1) await (await context.newCDPSession(page)).send('Emulation.setCPUThrottlingRate', { rate: SLOW });
    return watched(page);
  }

  function watched(page) {
    page.on('console', (message) => {
      // A refused request is an answer that the page shows.
      if (message.type() === 'error' && !/status of 4\d\d/.test(message.text())) problems.push(`${page.url()}: ${message.text()}`);
    });
    page.on('pageerror', (error) => problems.push(`${page.url()}: ${error.message}`));
    return page;
  }

  const stop = () => chrome.close();

  return { person, open, problems, stop };
}

/** What axe finds on the page as it is, as lines. */
export async function axe(page) {
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(axeCore.source);
  const violations = await page.evaluate(
    async (tags) => (await window.axe.run(document, { runOnly: { type: 'tag', values: tags }, resultTypes: ['violations'] })).violations,
    TAGS,
  );
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target.join(' ')}: ${node.failureSummary?.split('\n').slice(1).join('; ')}`));
}
