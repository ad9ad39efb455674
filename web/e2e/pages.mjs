// Every page, light and dark, wide and narrow: loads by its address, has one heading, passes axe, and nothing sticks out at the side.
// proves: S4-L3, AI-M20, S4-A-P3
import assert from 'node:assert/strict';

const OUTSIDE = ['/login', '/register', '/forgot-password', '/setup#x', '/reset-password#x', '/verify-email', '/invitation'];
const INSIDE = [
  () => '/',
  () => '/workflows',
  () => '/workflows/new',
  () => '/workflows/new/retry',
  ({ workflow }) => `/workflows/${workflow}`,
  ({ workflow }) => `/workflows/${workflow}/runs`,
  ({ nightly }) => `/workflows/${nightly}/triggers`,
  ({ workflow }) => `/workflows/${workflow}/access`,
  ({ workflow }) => `/workflows/${workflow}/versions`,
  ({ workflow }) => `/workflows/${workflow}/versions?view=tasks`,
  ({ workflow }) => `/workflows/${workflow}?version=1`,
  () => '/runs',
  ({ run }) => `/runs/${run}`,
  ({ run, task }) => `/runs/${run}?task=${task}&view=timeline`,
  ({ run }) => `/runs/${run}?view=data`,
  ({ run }) => `/runs/${run}?view=logs`,
  ({ agentRun }) => `/runs/${agentRun}?view=agent`,
  ({ agentRun }) => `/runs/${agentRun}?view=agent&read=details`,
  ({ mended }) => `/runs/${mended}?view=remedies`,
  () => '/assistant',
  () => '/assistant/memory',
  () => '/approvals',
  ({ approval }) => `/approvals/${approval}?status=all`,
  ...['/notifications', '/notifications?tab=preferences', '/notifications?tab=channels', '/schedules', '/dead-letters', '/functions', '/functions/http', '/integrations', '/audit', '/organization', '/admin', '/admin?tab=health', '/admin?tab=limits', '/admin?tab=settings', '/admin?tab=data', '/profile', '/nonsense'].map((path) => () => path),
];
const NAMES = ['home', 'workflows', 'new workflow', 'new from a sample', 'editor', 'runs of a workflow', 'triggers', 'access', 'versions', 'tasks of versions', 'older version', 'runs', 'run', 'timeline', 'values', 'log', 'agent', 'agent in detail', 'remedies', 'assistant', 'memory', 'approvals', 'approval', 'notifications', 'what one is told', 'channels', 'schedules', 'dead letters', 'functions', 'function', 'integrations', 'audit', 'organization', 'users', 'health', 'limits', 'settings', 'data', 'profile', 'nowhere'];
const WIDE = { width: 1366, height: 850 };
const NARROW = { width: 390, height: 844 };
/** In an order that changes one thing at a time. */
const LOOKS = [
  { theme: 'light', size: WIDE },
  { theme: 'dark', size: WIDE },
  { theme: 'dark', size: NARROW },
  { theme: 'light', size: NARROW },
];

/** Name and address of each page, for somebody who is signed in, and of those before that. */
export const inside = (world) => INSIDE.map((path, at) => ({ name: NAMES[at], path: path(world) }));
export const outside = OUTSIDE.map((path) => ({ name: path.replace(/^\/|#.*$/g, ''), path }));

export async function settled(page) {
  await page.getByRole('heading', { level: 1 }).waitFor();
  await page.waitForFunction(() => document.querySelector('[aria-label="Loading"]') === null);
}

export async function walk(page, axe, path) {
  const found = [];
  // Another address than the one before, so that a change behind the `#` alone loads the page too.
  await page.goto('about:blank');
  const reply = await page.goto(path);
  assert.equal(reply.status(), path === '/nonsense' ? 404 : 200, path);
  await settled(page);
  assert.equal(await page.getByText('This task has not run.').count(), 0, 'the task of the address is one of the run');
  for (const { theme, size } of LOOKS) {
    await page.setViewportSize(size);
    await page.evaluate((name) => {
      document.documentElement.dataset.theme = name;
    }, theme);
    const where = `${path} ${theme} ${size.width}`;
    for (const line of await axe(page)) found.push(`${where}: ${line}`);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (overflow > 0) found.push(`${where}: ${overflow} px too wide`);
  }
  await page.setViewportSize(WIDE);
  assert.deepEqual(found, []);
}

/** Who looks, and at what; each on a page of its own, so that they may be looked at side by side. */
export const walks = [
  ...OUTSIDE.map((path) => ({ name: `page ${path}`, who: 'stranger', path: () => path })),
  ...INSIDE.map((path, at) => ({ name: `page ${NAMES[at]}`, who: 'page', path })),
];
