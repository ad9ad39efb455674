// Getting in: the setup link, signing out and in, the session that ends.
import assert from 'node:assert/strict';

export const ADMIN = { name: 'Ada Root', email: 'ada@example.org', password: 'a long engine of words' };

export async function signIn(page, { email, password }) {
  await page.getByLabel('E-mail address').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** The access token alone runs out, in one step: `clearCookies` with a filter takes all away for a moment. */
async function expireAccess(context) {
  const access = (await context.cookies()).find(({ name }) => name.includes('access'));
  await context.addCookies([{ ...access, expires: 1 }]);
}

/** A refusal that comes after the session was renewed speaks of the session before: it renews nothing, and its request is asked again. */
async function refusedLate(page) {
  let renewals = 0;
  const counted = (request) => {
    if (new URL(request.url()).pathname === '/api/auth/refresh') renewals += 1;
  };
  await page.goto('/workflows?q=other');
  await page.getByText('No workflow matches').waitFor();
  page.on('request', counted);
  // Whatever finds the token gone first: the refused request has to be older than the renewal.
  const asked = page.waitForRequest((request) => request.url().includes('/api/stats'));
  await page.route('**/api/auth/refresh', async (route) => {
    await asked;
    await route.continue();
  });
  await expireAccess(page.context());
  const others = page.waitForResponse((reply) => reply.ok() && reply.url().includes('/api/dead-letters'));
  let sent = 0;
  // Taken away at the end only: a route that expires lets go what it still holds.
  await page.route('**/api/stats?*', async (route) => {
    if (sent++ > 0) return route.continue();
    await others;
    return route.fulfill({ status: 401, contentType: 'application/problem+json', body: '{"status":401,"code":"auth.required"}' });
  });
  const answered = page.waitForResponse((reply) => reply.ok() && reply.url().includes('/api/stats'));
  await page.getByRole('link', { name: 'Home' }).click();
  await answered;
  await page.unrouteAll({ behavior: 'wait' });
  assert.equal(sent, 2);
  page.off('request', counted);
  assert.equal(renewals, 1);
}

export const accessTests = [
  [
    'the setup link makes the first administrator',
    async (world) => {
      world.page = await world.browser.person();
      await world.page.goto(world.server.setupLink());
      await world.page.getByLabel('Your name').fill(ADMIN.name);
      await world.page.getByLabel('E-mail address').fill(ADMIN.email);
      await world.page.getByLabel('Password').fill('short');
      await world.page.getByRole('button', { name: 'Create the administrator' }).click();
      await world.page.getByText('A password needs at least 10 characters.').waitFor();
      await world.page.getByLabel('Password').fill(ADMIN.password);
      await world.page.getByRole('button', { name: 'Create the administrator' }).click();
      await world.page.getByRole('heading', { name: 'Home', level: 1 }).waitFor();
      await world.page.getByText('Your first workflow, in three steps').waitFor();
      await world.page.getByRole('link', { name: 'Workflows' }).click();
      await world.page.getByText('No workflows yet').waitFor();
    },
  ],
  [
    'signing out and in again leads back to the page that was asked for',
    async ({ page }) => {
      await page.getByRole('button', { name: /Your account/ }).click();
      await page.getByRole('menuitem', { name: 'Sign out' }).click();
      await page.getByRole('heading', { name: 'Sign in to Pawl' }).waitFor();
      await page.goto('/workflows?q=nothing');
      await page.getByRole('heading', { name: 'Sign in to Pawl' }).waitFor();
      await signIn(page, { ...ADMIN, password: 'not the password at all' });
      await page.getByRole('alert').waitFor();
      await signIn(page, ADMIN);
      await page.getByText('No workflow matches').waitFor();
      assert.equal(new URL(page.url()).search, '?q=nothing');
    },
  ],
  [
    'a sign-in at a provider that failed says why',
    async ({ browser }) => {
      const stranger = await browser.person();
      for (const [code, said] of [['oauth.invalid_state', /too old or began in another browser/], ['constructor', /did not work/]]) {
        await stranger.goto(`/login?error=${code}`);
        await stranger.getByRole('alert').filter({ hasText: said }).waitFor();
      }
    },
  ],
  // proves: AI-H15
  [
    'an access token that is gone is renewed unseen, a session that is gone is asked for in place',
    async ({ page }) => {
      const context = page.context();
      const unseen = page.waitForResponse((reply) => reply.ok() && reply.url().includes('q=other'));
      await expireAccess(context);
      await page.getByRole('searchbox').fill('other');
      await page.waitForURL(/q=other/);
      await unseen;
      await page.getByText('No workflow matches').waitFor();
      // Whatever number of requests finds the token gone, one of them renews it: a refresh token works once.
      // Listened to from before: what the page asks by itself may be the first that finds it gone.
      let renewals = 0;
      const counted = (request) => {
        if (new URL(request.url()).pathname === '/api/auth/refresh') renewals += 1;
      };
      page.on('request', counted);
      const renewed = page.waitForResponse((reply) => reply.url().endsWith('/api/auth/refresh'));
      await expireAccess(context);
      await page.getByRole('link', { name: 'Home' }).click();
      await page.getByLabel('Time').selectOption('7d');
      await renewed;
      await page.getByRole('region', { name: 'Figures' }).waitFor();
      page.off('request', counted);
      assert.equal(renewals, 1);
      await refusedLate(page);
      await page.goto('/workflows?q=other');
      await page.getByText('No workflow matches').waitFor();
      await context.clearCookies();
      await page.getByRole('searchbox').fill('again');
      const dialog = page.getByRole('dialog', { name: 'Sign in again' });
      await dialog.waitFor();
      await dialog.getByLabel('Password').fill(ADMIN.password);
      await dialog.getByRole('button', { name: 'Sign in' }).click();
      await dialog.waitFor({ state: 'detached' });
      assert.equal(await page.getByRole('searchbox').inputValue(), 'again');
    },
  ],
];
