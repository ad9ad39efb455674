// The first page, what starts by itself, and the administration.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { call } from './work.mjs';

const named = (name, rest) => `document: {dsl: '1.0.3', namespace: test, name: ${name}, version: '1.0.0'${rest}`;

export const homeTests = [
  [
    'the first page counts what has run, shows what failed and what comes next',
    async (world) => {
      const { page } = world;
      const bad = await call(page, 'POST', '/api/workflows', { definition: named('broken', "}\ndo:\n  - a: {raise: {error: {type: 'https://example.org/e', status: 400, title: no}}}\n") });
      await call(page, 'POST', `/api/workflows/${bad.body.id}/execute`, { wait: true });
      const nightly = named('nightly', ", metadata: {webhook: {wait: true}, timezone: Europe/Berlin}}\nschedule: {cron: '0 6 * * *'}\ndo:\n  - a: {set: {heard: '${ .body.hello }'}}\n");
      world.nightly = (await call(page, 'POST', '/api/workflows', { definition: nightly })).body.id;
      await page.goto('/');
      await page.getByRole('heading', { name: 'Home', level: 1 }).waitFor();
      const figures = page.getByRole('region', { name: 'Figures' });
      await figures.getByText(/\d+ of \d+ that ended by themselves/).waitFor();
      await page.getByRole('link', { name: 'broken' }).waitFor();
      await page.getByRole('link', { name: 'nightly' }).waitFor();
      const { body: stats } = await call(page, 'GET', '/api/stats');
      // The picture and the table beside it say the same.
      const chart = page.getByRole('figure').first();
      await chart.getByText('As a table').click();
      const column = await chart.getByRole('row').evaluateAll((rows) => rows.slice(1).reduce((sum, row) => sum + Number(row.cells[1].textContent), 0));
      assert.equal(column, stats.ended.completed);
      await page.getByLabel('Time').selectOption('7d');
      await page.waitForURL(/window=7d/);
      await figures.getByRole('link', { name: 'Faulted' }).click();
      await page.waitForURL((url) => url.pathname === '/runs' && url.searchParams.get('status') === 'faulted');
    },
  ],
  [
    'a webhook is called from its page, given a new address, and a schedule stands in the calendar',
    async ({ page, nightly }) => {
      await page.goto(`/workflows/${nightly}/triggers`);
      const before = await page.locator('code').innerText();
      await page.getByRole('button', { name: 'Send' }).click();
      await page.getByText(/Answer 200/).waitFor();
      await page.getByText('{"heard":"world"}').waitFor();
      await page.getByRole('button', { name: 'New address' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'New address' }).click();
      await page.getByText('The webhook has a new address.').waitFor();
      await page.waitForFunction((old) => document.querySelector('code')?.textContent !== old, before);
      await page.getByRole('button', { name: 'Pause' }).click();
      await page.getByText('paused').waitFor();
      await page.getByRole('button', { name: 'Continue' }).click();
      await page.getByRole('button', { name: 'Pause' }).waitFor();
      await page.goto('/schedules');
      await page.getByRole('heading', { name: 'The next 30 days' }).waitFor();
      await page.getByRole('listitem').getByRole('link', { name: 'nightly' }).nth(28).waitFor();
    },
  ],
  [
    'an error leads to its place in the definition',
    async ({ page }) => {
      await page.goto('/');
      await page.getByRole('link', { name: 'broken' }).first().click();
      await page.waitForURL(/\/runs\//);
      await page.locator('.react-flow__node', { hasText: 'raise' }).click();
      const panel = page.getByRole('complementary', { name: 'Task a' });
      await panel.getByText('All of the error').click();
      await panel.getByText('https://example.org/e').first().waitFor();
      await panel.getByRole('link', { name: '/do/0/a' }).click();
      await page.waitForURL(/at=/);
      await page.locator('.react-flow__node.selected', { hasText: 'raise' }).waitFor();
      await page.locator('.cm-activeLine', { hasText: 'raise' }).waitFor();
    },
  ],
  [
    'a workflow shows what it may reach, and what a new version reaches more than the one before',
    async ({ page }) => {
      const reads = named('reads', "}\ndo:\n  - get: {call: http, with: {method: get, endpoint: 'https://one.example/x'}}\n");
      const { body } = await call(page, 'POST', '/api/workflows', { definition: reads });
      await call(page, 'PUT', `/api/workflows/${body.id}`, { definition: `${reads}  - more: {call: shell-command, with: {command: tar, args: ['--version']}}\n` });
      await page.goto(`/workflows/${body.id}/access`);
      await page.getByText('one.example').first().waitFor();
      await page.getByRole('heading', { name: 'Programs' }).waitFor();
      await page.getByRole('main').getByRole('link', { name: 'get' }).first().click();
      await page.locator('.react-flow__node.selected', { hasText: 'get' }).waitFor();
      await page.getByRole('link', { name: 'Versions' }).click();
      await page.getByRole('heading', { name: 'It can reach more than before' }).waitFor();
      assert.equal(await page.locator('section', { has: page.getByRole('heading', { name: 'It can reach more than before' }) }).getByText('one.example').count(), 0, 'what stays is no change');
    },
  ],
  [
    'the audit trail is filtered, names people and is exported as it is filtered',
    async ({ page }) => {
      await page.goto('/audit?q=createWorkflow');
      await page.getByRole('cell', { name: 'Ada Root' }).first().waitFor();
      await page.getByLabel('Since').selectOption('1d');
      await page.waitForURL(/since=1d/);
      await page.getByRole('row').nth(1).waitFor();
      const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Export CSV' }).click()]);
      const lines = readFileSync(await download.path(), 'utf8').trim().split('\n');
      assert.ok(lines.length > 1 && lines.slice(1).every((line) => line.includes('createWorkflow')), lines[1]);
      await page.getByRole('button', { name: 'Verify the chain' }).click();
      await page.getByText(/unbroken/i).waitFor();
    },
  ],
  [
    'an administrator sees the health of the installation and switches a user off and on',
    async ({ page, viewer }) => {
      await page.goto('/admin');
      const row = page.getByRole('row', { name: /vera@example.org/ });
      await row.getByRole('button').click();
      await page.getByRole('menuitem', { name: 'Switch off' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Switch off' }).click();
      await row.getByText('switched off').waitFor();
      assert.equal((await viewer.request.get('/api/auth/me')).status(), 401);
      await row.getByRole('button').click();
      await page.getByRole('menuitem', { name: 'Switch on' }).click();
      await row.getByText('switched off').waitFor({ state: 'detached' });
      await page.getByRole('button', { name: 'Health' }).click();
      await page.getByText('Ready for work').waitFor();
      await page.getByText('Schema of the database').waitFor();
      await page.getByText('up to date').waitFor();
      await page.getByRole('button', { name: 'Data' }).click();
      await page.getByRole('button', { name: 'What would go now?' }).click();
      await page.getByText(/would go$/).waitFor();
    },
  ],
];
