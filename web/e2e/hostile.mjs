// What people do who are curious, quick, offline, or have names that nobody thought of.
import assert from 'node:assert/strict';
import { ADMIN } from './access.mjs';
import { call } from './work.mjs';

const LONG = 'Undurchdringlichkeitsvermutungsverordnung'.repeat(4);

async function settle(page) {
  await page.getByRole('heading', { level: 1 }).waitFor();
  await page.waitForFunction(() => document.querySelector('[aria-label="Loading"]') === null);
}

export const hostileTests = [
  [
    'whoever registers where addresses are confirmed first is told so, and is not sent inside',
    async ({ browser }) => {
      const message = 'Read your mail to go on.';
      const page = await browser.person();
      await page.route('**/api/auth/register', (route) => route.fulfill({ status: 202, contentType: 'application/json', body: JSON.stringify({ message }) }));
      await page.goto('/register');
      await page.getByLabel('Your name').fill('Nora');
      await page.getByLabel('E-mail address').fill('nora@example.org');
      await page.getByLabel('Password').fill(ADMIN.password);
      await page.getByRole('button', { name: 'Create an account' }).click();
      await page.getByRole('status').getByText(message).waitFor();
      assert.equal(new URL(page.url()).pathname, '/register');
      await page.context().close();
    },
  ],
  [
    'a viewer looks at every page, and none asks for what viewers may not have or offers what would be refused',
    async (world) => {
      const { viewer, workflow, run, nightly, approval } = world;
      const refused = [];
      const listen = (reply) => {
        if (reply.status() === 403) refused.push(`${new URL(viewer.url()).pathname}: ${reply.request().method()} ${new URL(reply.url()).pathname}`);
      };
      viewer.on('response', listen);
      const changes = /^(Save|Run|Dry run|Add a task|New workflow|New integration|Test|Pause|Continue|Roll back|Delete|Invite|Approve|Reject|Start again|Discard|New channel|New address|Draft it|Forget|Cancel|Suspend|Retry|Fork)/;
      for (const path of [
        '/', '/workflows', `/workflows/${workflow}`, `/workflows/${workflow}/runs`, `/workflows/${nightly}/triggers`, `/workflows/${workflow}/access`, `/workflows/${workflow}/versions`,
        '/runs', `/runs/${run}`, `/runs/${run}?view=timeline`, `/runs/${run}?view=data`, '/approvals', `/approvals/${approval}?status=all`, '/notifications', '/notifications?tab=channels',
        '/schedules', '/dead-letters', '/functions', '/integrations', '/assistant/memory', '/organization',
      ]) {
        await viewer.goto(path);
        await settle(viewer);
        const offered = await viewer.getByRole('main').getByRole('button').or(viewer.getByRole('main').getByRole('link')).evaluateAll((all) => all.filter((one) => !one.disabled).map((one) => (one.getAttribute('aria-label') ?? one.textContent).trim()));
        assert.deepEqual(offered.filter((name) => changes.test(name)), [], path);
        assert.equal(await viewer.getByRole('alert').count(), 0, path);
      }
      viewer.off('response', listen);
      assert.deepEqual(refused, []);
    },
  ],
  [
    'two clicks in a row start one run, and going back from an open dialog leads to the page before, without the dialog',
    async ({ page, workflow }) => {
      const count = async () => (await call(page, 'GET', `/api/runs?workflow_id=${workflow}&limit=200`)).body.items.length;
      const before = await count();
      await page.goto('/workflows');
      await page.getByRole('link', { name: 'greet-everybody' }).click();
      await page.getByText('No findings').waitFor();
      await page.getByRole('button', { name: 'Run', exact: true }).click();
      const dialog = page.getByRole('dialog');
      await dialog.waitFor();
      await page.goBack();
      await page.getByRole('heading', { name: 'Workflows', level: 1 }).waitFor();
      assert.equal(await dialog.count(), 0);
      await page.goForward();
      await page.getByText('No findings').waitFor();
      await page.getByRole('button', { name: 'Run', exact: true }).click();
      await dialog.getByLabel('Input (JSON)').fill('{"people": ["Ada"]}');
      await dialog.getByRole('button', { name: 'Run', exact: true }).dblclick();
      await page.waitForURL(/\/runs\//);
      await page.getByRole('main').getByText('Completed').first().waitFor();
      assert.equal(await count(), before + 1);
    },
  ],
  [
    'a session that ends in the middle of an edit, and a connection that is gone, lose nothing of it',
    async ({ page, workflow, browser }) => {
      await page.goto(`/workflows/${workflow}`);
      await page.getByText('No findings').waitFor();
      const editor = page.getByRole('textbox', { name: 'Definition as YAML' });
      await editor.click();
      await page.keyboard.press('Control+End');
      await page.keyboard.insertText('# written while the session ended\n');
      await page.getByText('No findings').waitFor();
      const save = async () => {
        await page.getByRole('button', { name: 'Save', exact: true }).click();
        await page.getByRole('dialog', { name: /Save as/ }).getByRole('button', { name: 'Save', exact: true }).click();
      };
      // Without a connection: said so, and the dialog with what was typed stays.
      await page.context().setOffline(true);
      await save();
      await page.getByRole('dialog', { name: /Save as/ }).getByText('The server cannot be reached').waitFor();
      await page.context().setOffline(false);
      await page.context().clearCookies();
      await page.getByRole('dialog', { name: /Save as/ }).getByRole('button', { name: 'Save', exact: true }).click();
      const expired = page.getByRole('dialog').filter({ has: page.getByLabel('Password') });
      await expired.getByLabel('Password').fill(ADMIN.password);
      await expired.getByRole('button', { name: 'Sign in' }).click();
      await expired.waitFor({ state: 'detached' });
      await page.getByRole('dialog', { name: /Save as/ }).getByRole('button', { name: 'Save', exact: true }).click();
      await page.getByText(/^Saved as version/).waitFor();
      assert.match((await call(page, 'GET', `/api/workflows/${workflow}`)).body.definition, /written while the session ended/);
      browser.problems.splice(0);
    },
  ],
  [
    'names that are very long, run from right to left or are pictures stay within their place, on a phone too',
    async ({ page, axe, workflow }) => {
      const made = await call(page, 'POST', '/api/workflows', {
        definition: `document: {dsl: '1.0.3', namespace: test, name: ${'very-long-name-'.repeat(4)}x, version: '1.0.0', summary: '${LONG} مرحبا بالعالم 🦊🚀'}\ndo:\n  - ${'a-task-with-a-name-that-has-no-end-'.repeat(3)}x: {set: {'${LONG}': 'שלום ${LONG}'}}\n  - "مهمة 🦊": {raise: {error: {type: 'https://example.org/${LONG}', status: 500, title: '${LONG}', detail: 'عطل ${LONG}'}}}\n`,
      });
      assert.equal(made.status, 201, JSON.stringify(made.body));
      const run = (await call(page, 'POST', `/api/workflows/${made.body.id}/execute`, { input: { [LONG]: LONG }, wait: true })).body.id;
      const { body: me } = await call(page, 'GET', '/api/auth/me');
      const organization = (await call(page, 'GET', `/api/organizations/${me.organization_id}`)).body;
      assert.equal((await call(page, 'PUT', '/api/auth/profile', { name: `${LONG.slice(0, 150)} 🦊` })).status, 200);
      for (const width of [375, 1366]) {
        await page.setViewportSize({ width, height: 800 });
        for (const path of ['/', '/workflows', '/runs', `/runs/${run}?view=timeline&task=/do/1/مهمة 🦊`, `/runs/${run}?view=data`, `/workflows/${made.body.id}`, `/workflows/${made.body.id}/versions`, '/notifications', '/organization', '/profile', '/admin', '/dead-letters', '/audit', `/workflows/${workflow}/versions`]) {
          await page.goto(path);
          await settle(page);
          assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0, `${path} at ${width}`);
        }
      }
      assert.deepEqual(await axe(page), []);
      assert.equal((await call(page, 'PUT', '/api/auth/profile', { name: ADMIN.name })).status, 200);
      assert.ok(organization.name);
    },
  ],
  [
    'who signs out in one tab is asked to sign in in the other, and finds the page there again',
    async ({ browser }) => {
      const one = await browser.person();
      await one.goto('/login');
      await one.getByLabel('E-mail address').fill(ADMIN.email);
      await one.getByLabel('Password').fill(ADMIN.password);
      await one.getByRole('button', { name: 'Sign in', exact: true }).click();
      await one.getByRole('heading', { name: 'Home', level: 1 }).waitFor();
      const other = await browser.open(one.context());
      await other.goto('/runs');
      await other.getByRole('list', { name: 'Runs' }).waitFor();
      await one.getByRole('button', { name: /Your account/ }).click();
      await one.getByRole('menuitem', { name: 'Sign out' }).click();
      await one.getByRole('heading', { name: 'Sign in to Pawl' }).waitFor();
      // Told at once, over the live connection.
      const dialog = other.getByRole('dialog');
      await dialog.getByLabel('Password').fill(ADMIN.password);
      await dialog.getByRole('button', { name: 'Sign in' }).click();
      await dialog.waitFor({ state: 'detached' });
      await other.getByRole('list', { name: 'Runs' }).waitFor();
      assert.equal(new URL(other.url()).pathname, '/runs');
      await one.context().close();
    },
  ],
];
