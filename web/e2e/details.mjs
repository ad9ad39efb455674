// What one looks for when something is odd: attempts of a task, a value of some megabytes, keys, one's own time zone, an address that is none.
import assert from 'node:assert/strict';
import { ADMIN, signIn } from './access.mjs';
import { call } from './work.mjs';

const head = (name) => `document: {dsl: '1.0.3', namespace: test, name: ${name}, version: '1.0.0'}\n`;

async function make(page, definition) {
  const made = await call(page, 'POST', '/api/workflows', { definition });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  return made.body.id;
}

const themeOf = (page) => page.evaluate(() => document.documentElement.dataset.theme);

export const detailTests = [
  [
    'each attempt of a task is told: when, how it ended, why, and how long until the next',
    async ({ page, server, axe }) => {
      const workflow = await make(
        page,
        `${head('flaky')}do:
  - flaky:
      try:
        - get: {call: http, with: {method: get, endpoint: '${server.base}/nope'}}
      catch:
        errors: {with: {}}
        retry: {delay: {milliseconds: 80}, limit: {attempt: {count: 2}}}
        do:
          - mended: {set: {x: 1}}
`,
      );
      const run = (await call(page, 'POST', `/api/workflows/${workflow}/execute`, { wait: true })).body.id;
      for (const task of ['/do/0/flaky', '/do/0/flaky/try/0/get']) {
        await page.goto(`/runs/${run}?task=${task}`);
        const attempts = page.getByRole('list', { name: 'Attempts' });
        await attempts.getByText('Attempt 3').waitFor();
        assert.equal(await attempts.getByRole('listitem').count(), 3);
        assert.equal(await attempts.getByText(/answered 404/).count(), 3);
        assert.equal(await attempts.getByText(/^waited \d+\sms until the next$/).count(), 2);
      }
      assert.deepEqual(await axe(page), []);
    },
  ],
  [
    'a value of five megabytes opens at once, line by line, and by keys alone',
    async ({ page, axe }) => {
      const items = Array.from({ length: 20_000 }, (_, at) => ({ id: at, name: `Article number ${at}`, text: 'x'.repeat(80) }));
      const workflow = await make(page, `${head('large')}do:\n  - take: {set: {items: '\${ .items }', long: '\${ .long }', again: '\${ .items }'}}\n`);
      const started = await call(page, 'POST', `/api/workflows/${workflow}/execute`, { input: { items, long: 'y'.repeat(900_000) }, wait: true });
      assert.equal(started.status, 200, JSON.stringify(started.body).slice(0, 300));
      await page.goto(`/runs/${started.body.id}?view=data`);
      const tree = page.getByRole('tree', { name: 'Output' });
      await tree.getByRole('treeitem', { name: /items/ }).waitFor();
      await page.evaluate(() => {
        window.longest = 0;
        new PerformanceObserver((list) => {
          for (const task of list.getEntries()) window.longest = Math.max(window.longest, task.duration);
        }).observe({ type: 'longtask' });
      });
      const lines = () => page.locator('[role=treeitem]').count();
      assert.ok((await lines()) < 60, 'what is large begins closed');
      await tree.focus();
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('ArrowRight');
      await tree.getByRole('treeitem', { name: '0: {3}', exact: true }).waitFor();
      assert.ok((await lines()) < 120, `${await lines()} lines in the page`);
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('Enter');
      await tree.getByText('"Article number 0"').waitFor();
      await page.keyboard.press('End');
      await tree.getByRole('treeitem', { name: /^long: show the text/ }).click();
      await tree.getByRole('treeitem', { name: /^long/ }).getByRole('button', { name: /show more of/ }).click();
      await page.keyboard.press('Home');
      await tree.getByRole('treeitem', { name: '{3}', exact: true }).waitFor();
      const longest = await page.evaluate(() => window.longest);
      assert.ok(longest < 1000, `the page stood still for ${longest} ms`);
      assert.deepEqual(await axe(page), []);
    },
  ],
  [
    'the log of a run has what all of its tasks wrote, is searched, and leads to the task',
    async ({ page, axe }) => {
      const workflow = await make(page, `${head('logging')}do:\n  - pause: {wait: {hours: 1}}\n  - hear: {listen: {to: {one: {with: {type: org.example.go}}}}}\n`);
      const talking = await make(page, `${head('talking')}do:\n  - fine: {call: log, with: {message: All is well}}\n  - odd: {call: log, with: {message: That is odd, level: warning}}\n`);
      const said = (await call(page, 'POST', `/api/workflows/${talking}/execute`, { wait: true })).body.id;
      await page.goto(`/runs/${said}?view=logs`);
      const both = page.getByRole('list', { name: 'Log' }).getByRole('listitem');
      await both.filter({ hasText: 'All is well' }).waitFor();
      await page.getByLabel('Level').selectOption('warning');
      await both.filter({ hasText: 'All is well' }).waitFor({ state: 'detached' });
      await both.filter({ hasText: 'That is odd' }).waitFor();
      const run = (await call(page, 'POST', `/api/workflows/${workflow}/execute`, { dry_run: true, wait: true })).body.id;
      await page.goto(`/runs/${run}?view=logs`);
      const lines = page.getByRole('list', { name: 'Log' }).getByRole('listitem');
      await lines.filter({ hasText: 'it would wait until' }).waitFor();
      await lines.filter({ hasText: 'it would wait for events' }).waitFor();
      await page.getByText('2 lines', { exact: true }).waitFor();
      assert.deepEqual(await axe(page), []);
      await page.keyboard.press('/');
      await page.keyboard.type('EVENTS');
      await page.getByText('1 of 2 lines').waitFor();
      assert.equal(await lines.count(), 1);
      await page.getByLabel('Level').selectOption('error');
      await page.getByText('0 of 2 lines').waitFor();
      await page.getByLabel('Level').selectOption('');
      await lines.getByRole('button', { name: 'hear' }).click();
      await page.getByRole('complementary', { name: 'Task hear' }).getByText('it would wait for events').waitFor();
    },
  ],
  [
    'keys go to pages and tell themselves; in fields they are letters, and they can be switched off',
    async ({ page, axe }) => {
      await page.goto('/');
      await page.getByRole('heading', { name: 'Home', level: 1 }).waitFor();
      await page.keyboard.press('g');
      await page.keyboard.press('r');
      await page.getByRole('heading', { name: 'Runs', level: 1 }).waitFor();
      await page.keyboard.press('/');
      await page.keyboard.type('g?w');
      assert.equal(await page.getByRole('searchbox').inputValue(), 'g?w');
      await page.getByRole('heading', { name: 'Runs', level: 1 }).click();
      await page.keyboard.press('?');
      const sheet = page.getByRole('dialog', { name: 'Keyboard shortcuts' });
      await sheet.getByText('Ctrl').first().waitFor();
      assert.deepEqual(await axe(page), []);
      await sheet.getByLabel('Single letters are shortcuts').uncheck();
      await page.keyboard.press('Escape');
      await sheet.waitFor({ state: 'detached' });
      await page.keyboard.press('?');
      await page.keyboard.press('g');
      await page.keyboard.press('h');
      assert.equal(new URL(page.url()).pathname, '/runs');
      assert.equal(await sheet.count(), 0);
      await page.getByRole('button', { name: /Your account/ }).click();
      await page.getByRole('menuitem', { name: 'Keyboard shortcuts' }).click();
      await sheet.getByLabel('Single letters are shortcuts').check();
      await page.keyboard.press('Escape');
    },
  ],
  [
    'times are shown in the zone that one has set, also after a reload, and the next start in that of the schedule too',
    async ({ page }) => {
      await make(page, `document: {dsl: '1.0.3', namespace: test, name: in-berlin, version: '1.0.0', metadata: {timezone: Europe/Berlin}}\nschedule: {cron: '0 6 * * *'}\ndo:\n  - a: {set: {x: 1}}\n`);
      await page.goto('/profile');
      await page.getByLabel('Time zone').selectOption('Asia/Tokyo');
      await page.goto('/schedules');
      const row = page.getByRole('row', { name: /in-berlin/ });
      await row.getByText(/, 06:00 in Europe\/Berlin$/).waitFor();
      await row.getByText(/, 1[34]:00$/).waitFor();
      await page.getByText('In the time zone Asia/Tokyo.').waitFor();
      await page.goto('/profile');
      assert.equal(await page.getByLabel('Time zone').inputValue(), 'Asia/Tokyo');
      await page.getByLabel('Time zone').selectOption('');
    },
  ],
  [
    'who has chosen no theme has that of the system, also when it changes',
    async ({ browser }) => {
      const stranger = await browser.person({ colorScheme: 'dark' });
      await stranger.goto('/login');
      await stranger.getByRole('heading', { level: 1 }).waitFor();
      assert.equal(await themeOf(stranger), 'dark');
      await stranger.emulateMedia({ colorScheme: 'light' });
      await stranger.waitForFunction(() => document.documentElement.dataset.theme === 'light');
      await stranger.context().close();
    },
  ],
  [
    'what a browser showed before its person ever chose anything stays with the first choice',
    async ({ browser }) => {
      const first = await browser.person({ colorScheme: 'light' });
      await first.goto('/register');
      // As versions that kept it in the browser alone have left it.
      await first.evaluate(() => {
        localStorage.setItem('pawl.zone', 'Asia/Tokyo');
        localStorage.setItem('pawl.letters', 'off');
      });
      await first.reload();
      await first.getByLabel('Your name').fill('First');
      await first.getByLabel('E-mail address').fill('first-choice@example.org');
      await first.getByLabel('Password').fill(ADMIN.password);
      await first.getByRole('button', { name: 'Create an account' }).click();
      await first.getByRole('heading', { name: 'Home', level: 1 }).waitFor();
      await first.goto('/profile');
      const saved = first.waitForResponse((reply) => reply.url().endsWith('/api/auth/preferences') && reply.request().method() === 'PUT');
      await first.getByLabel('Theme').selectOption('dark');
      assert.deepEqual(await (await saved).json(), { theme: 'dark', time_zone: 'Asia/Tokyo', letter_shortcuts: false });
      await first.reload();
      await first.getByRole('heading', { name: 'Profile', level: 1 }).waitFor();
      assert.equal(await first.getByLabel('Time zone').inputValue(), 'Asia/Tokyo');
      assert.equal(await first.getByLabel('Single letters are shortcuts').isChecked(), false);
      await first.context().close();
    },
  ],
  [
    'what a person prefers is there in another browser, acts at once, survives a lost connection, and stays with that person',
    async ({ page, browser }) => {
      const kept = async () => (await call(page, 'GET', '/api/auth/me')).body.preferences;
      await page.goto('/profile');
      await page.getByLabel('Theme').selectOption('dark');
      assert.equal(await themeOf(page), 'dark');
      // The page is left while the choice is on its way.
      await page.getByLabel('Time zone').selectOption('Asia/Tokyo');
      await page.goto('/profile');
      assert.equal(await page.getByLabel('Time zone').inputValue(), 'Asia/Tokyo');
      const saved = page.waitForResponse((reply) => reply.url().endsWith('/api/auth/preferences') && reply.request().method() === 'PUT');
      await page.getByLabel('Single letters are shortcuts').uncheck();
      assert.equal((await saved).status(), 200);
      await page.waitForFunction(() => localStorage.getItem('pawl.preferences') === null);
      assert.deepEqual(await kept(), { theme: 'dark', time_zone: 'Asia/Tokyo', letter_shortcuts: false });

      const elsewhere = await browser.person({ colorScheme: 'light' });
      await elsewhere.goto('/profile');
      await signIn(elsewhere, ADMIN);
      await elsewhere.getByRole('heading', { name: 'Profile', level: 1 }).waitFor();
      assert.equal(await themeOf(elsewhere), 'dark');
      assert.equal(await elsewhere.getByLabel('Time zone').inputValue(), 'Asia/Tokyo');
      assert.equal(await elsewhere.getByLabel('Single letters are shortcuts').isChecked(), false);

      // Without a connection it is said, acts all the same, and is kept once there is one.
      await elsewhere.route('**/api/auth/preferences', (route) => route.abort());
      await elsewhere.getByLabel('Theme').selectOption('light');
      await elsewhere.getByText('The server cannot be reached').first().waitFor();
      assert.equal(await themeOf(elsewhere), 'light');
      assert.equal((await kept()).theme, 'dark');
      await elsewhere.unroute('**/api/auth/preferences');
      const late = elsewhere.waitForResponse((reply) => reply.url().endsWith('/api/auth/preferences'));
      await elsewhere.reload();
      assert.equal((await late).status(), 200);
      assert.deepEqual(await kept(), { theme: 'light', time_zone: 'Asia/Tokyo', letter_shortcuts: false });
      await page.reload();
      await page.getByRole('heading', { name: 'Profile', level: 1 }).waitFor();
      assert.equal(await themeOf(page), 'light');

      // Who comes next at that browser finds nothing of it.
      await elsewhere.getByRole('button', { name: /Your account/ }).click();
      await elsewhere.getByRole('menuitem', { name: 'Sign out' }).click();
      await elsewhere.getByRole('heading', { name: 'Sign in to Pawl' }).waitFor();
      assert.deepEqual(await elsewhere.evaluate(() => Object.keys(localStorage).filter((key) => /theme|zone|letters|preferences/.test(key))), []);
      await elsewhere.context().close();
      browser.problems.splice(0);

      await call(page, 'PUT', '/api/auth/preferences', { theme: 'system', time_zone: '', letter_shortcuts: true });
      await page.reload();
      await page.getByRole('heading', { name: 'Profile', level: 1 }).waitFor();
    },
  ],
  [
    'sign-in providers are linked and taken away with the password, and what a provider came back with is told',
    async ({ page }) => {
      const links = [{ provider: 'oidc', email: 'ada@id.example', created_at: '2026-01-05T08:00:00Z', last_used_at: '2026-01-06T08:00:00Z' }];
      const proofs = [];
      await page.route('**/api/auth/providers', (route) => route.fulfill({ json: { items: ['github', 'oidc'].map((name) => ({ name, login: `/api/auth/${name}/login` })) } }));
      await page.route('**/api/auth/oauth/links', (route) => route.fulfill({ json: { items: links, next_cursor: null } }));
      await page.route('**/api/auth/oauth/links/*', (route) => {
        const request = route.request();
        proofs.push(`${request.method()} ${new URL(request.url()).pathname.split('/').at(-1)} ${request.postDataJSON().password}`);
        if (request.method() === 'POST') return route.fulfill({ json: { location: '/profile?linked=github' } });
        if (links.length === 1) return route.fulfill({ status: 409, contentType: 'application/problem+json', json: { type: 'about:blank', title: 'Conflict', status: 409, code: 'oauth.last_way', detail: 'It is the last way to sign in.' } });
        links.splice(0, links.length);
        return route.fulfill({ status: 204 });
      });
      await page.goto('/profile?error=oauth.linked_elsewhere');
      await page.getByText('That account leads to another person here.').waitFor();
      const section = page.locator('section').filter({ has: page.getByRole('heading', { name: 'Sign-in providers' }) });
      await section.getByText('ada@id.example').waitFor();
      await section.getByRole('button', { name: 'Take away' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByLabel('Password').fill('first');
      await dialog.getByRole('button', { name: 'Take away' }).click();
      await dialog.getByText('It is the last way to sign in.').waitFor();
      links.push({ ...links[0], provider: 'github' });
      await dialog.getByLabel('Password').fill('second');
      await dialog.getByRole('button', { name: 'Take away' }).click();
      await dialog.waitFor({ state: 'hidden' });
      await section.getByRole('button', { name: 'Link' }).first().click();
      await dialog.getByLabel('Password').fill('third');
      await dialog.getByRole('button', { name: 'Link' }).click();
      await page.waitForURL(/linked=github/);
      assert.deepEqual(proofs, ['DELETE oidc first', 'DELETE oidc second', 'POST github third']);
      await page.unrouteAll();
    },
  ],
  [
    'an organization is made from the menu, is empty, and one is back in the other with two clicks',
    async ({ page }) => {
      await page.goto('/');
      const menu = page.getByRole('button', { name: /^Organization:/ });
      await menu.and(page.locator(':not([aria-label="Organization: Pawl"])')).waitFor();
      const before = (await menu.getAttribute('aria-label')).replace('Organization: ', '');
      await menu.click();
      await page.getByRole('menuitem', { name: 'New organization' }).click();
      const dialog = page.getByRole('dialog', { name: 'New organization' });
      await dialog.getByLabel('Name of the organization').fill('Second <shop> مرحبا 🦊');
      // Twice in a row makes one.
      await dialog.getByRole('button', { name: 'Make the organization' }).dblclick();
      await dialog.waitFor({ state: 'detached' });
      await page.getByRole('button', { name: 'Organization: Second <shop> مرحبا 🦊' }).waitFor();
      for (const path of ['/', '/workflows', '/runs', '/approvals', '/schedules', '/dead-letters', '/integrations', '/audit', '/organization', '/notifications', '/assistant/memory']) {
        await page.goto(path);
        await page.getByRole('heading', { level: 1 }).waitFor();
        await page.waitForFunction(() => document.querySelector('[aria-label="Loading"]') === null);
        assert.equal(await page.getByRole('alert').count(), 0, path);
      }
      await page.goto('/organization');
      await page.getByLabel('Description (optional)').fill('Shoes and lamps');
      await page.getByRole('button', { name: 'Save', exact: true }).click();
      await page.getByText('Saved.', { exact: true }).waitFor();
      const { body } = await call(page, 'GET', '/api/organizations?limit=200');
      assert.equal(body.items.filter(({ name }) => name.startsWith('Second')).length, 1);
      await menu.click();
      await page.getByRole('menuitemradio', { name: before }).click();
      await page.getByRole('button', { name: `Organization: ${before}` }).waitFor();
    },
  ],
  [
    'an address that leads nowhere is told by the interface, to those who are signed in and to others; programs get a problem',
    async ({ page, server, browser, axe }) => {
      const reply = await page.goto('/nonsense/42');
      assert.equal(reply.status(), 404);
      await page.getByRole('heading', { name: 'There is no such page', level: 1 }).waitFor();
      await page.getByRole('navigation', { name: 'Main' }).waitFor();
      assert.deepEqual(await axe(page), []);
      await page.getByRole('link', { name: 'Go to the home page' }).click();
      await page.getByRole('heading', { name: 'Home', level: 1 }).waitFor();
      const stranger = await browser.person();
      await stranger.goto('/nonsense');
      await stranger.getByRole('heading', { name: 'There is no such page', level: 1 }).waitFor();
      assert.equal(new URL(stranger.url()).pathname, '/nonsense');
      assert.deepEqual(await axe(stranger), []);
      await stranger.context().close();
      for (const [path, accept, method] of [['/nonsense', '*/*', 'GET'], ['/api/nonsense', 'text/html', 'GET'], ['/assets/nonsense.js', 'text/html', 'GET'], ['/nonsense', 'text/html', 'POST']]) {
        const said = await fetch(server.base + path, { method, headers: { Accept: accept } });
        assert.equal(said.status, 404, path);
        assert.equal((await said.json()).code !== undefined, true);
      }
    },
  ],
];

