// Signing in through a provider: a certified OpenID provider on loopback, the one of tests/e2e/oauth_test.py, from its pages back to ours.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ADMIN } from './access.mjs';
import { freePort, startServer } from './server.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const SOURCE = here('../../tests/e2e/oidc');

/** Where the provider's packages are, put there as the other tests do. */
function packages() {
  const binary = process.env.PAWL_BINARY ?? here('../../build/release/pawl');
  const folder = process.env.PAWL_OIDC_DIR ?? join(dirname(binary), 'tests', 'oidc-provider');
  const script = 'import sys; sys.path.insert(0, sys.argv[1]); from packages import install; install(sys.argv[2], sys.argv[3], "oidc-provider", True)';
  execFileSync('python3', ['-B', '-c', script, here('../../tests/support'), SOURCE, folder], { stdio: 'pipe' });
  copyFileSync(join(SOURCE, 'provider.mjs'), join(folder, 'provider.mjs'));
  return folder;
}

async function startProvider(port, callback) {
  const child = spawn(process.execPath, ['provider.mjs', String(port), callback], { cwd: packages(), stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = new Promise((resolve) => {
    child.once('exit', resolve);
  });
  await new Promise((resolve, reject) => {
    child.stdout.on('data', (text) => String(text).includes('ready') && resolve());
    void ended.then(() => reject(new Error('the provider does not start')));
  });
  return async () => {
    child.kill('SIGTERM');
    await ended;
  };
}

/** Somebody at that server. The provider's own pages would ask for letters from elsewhere. */
async function visitor(browser, server) {
  const page = await browser.person({ baseURL: server.base });
  await page.context().route((url) => url.hostname !== '127.0.0.1', (route) => route.abort());
  return page;
}

/** On the pages of the provider: says who one is, and lets it tell. */
async function answerAs(page, issuer, who) {
  await page.waitForURL((url) => url.href.startsWith(issuer));
  await page.locator('input[name=login]').fill(who);
  await page.locator('input[name=password]').fill('any');
  await page.locator('button[type=submit]').click();
  await page.locator('input[name=prompt][value=consent]').waitFor({ state: 'attached' });
  await page.locator('button[type=submit]').click();
}

export const signInTests = [
  [
    'an account is linked to a provider, signs in there in another browser, and is taken away again',
    async ({ browser, axe }) => {
      const port = await freePort();
      const issuer = `http://127.0.0.1:${port}`;
      const server = await startServer((base) => ({ PAWL_PUBLIC_URL: base, OIDC_ISSUER: issuer, OIDC_CLIENT_ID: 'pawl', OIDC_CLIENT_SECRET: 'the-secret-of-the-test-client' }));
      let stopProvider;
      try {
        stopProvider = await startProvider(port, `${server.base}/api/auth/oidc/callback`);
        const one = await visitor(browser, server);
        await one.goto(server.setupLink());
        await one.getByLabel('Your name').fill(ADMIN.name);
        await one.getByLabel('E-mail address').fill(ADMIN.email);
        await one.getByLabel('Password').fill(ADMIN.password);
        await one.getByRole('button', { name: 'Create the administrator' }).click();
        await one.getByRole('heading', { name: 'Home', level: 1 }).waitFor();
        await one.goto('/profile');
        const links = one.locator('section').filter({ has: one.getByRole('heading', { name: 'Sign-in providers' }) });
        await links.getByRole('button', { name: 'Link' }).click();
        const dialog = one.getByRole('dialog');
        await dialog.getByLabel('Password').fill(ADMIN.password);
        await dialog.getByRole('button', { name: 'Link' }).click();
        await answerAs(one, issuer, 'ada-elsewhere');
        await one.waitForURL(`${server.base}/profile?linked=oidc`);
        await links.getByText('ada-elsewhere@example.org').waitFor();
        assert.deepEqual(await axe(one), []);

        // With the provider alone, where no password was ever typed.
        const other = await visitor(browser, server);
        await other.goto('/login');
        await other.getByRole('link', { name: /oidc/ }).click();
        await answerAs(other, issuer, 'ada-elsewhere');
        await other.getByRole('heading', { name: 'Home', level: 1 }).waitFor();
        assert.equal((await (await other.request.get('/api/auth/me')).json()).email, ADMIN.email);
        // Left, so that nothing of it asks once its session has ended.
        await other.goto('about:blank');

        // Whose address nobody has verified is told so, where one signs in.
        const eve = await visitor(browser, server);
        await eve.goto('/login');
        await eve.getByRole('link', { name: /oidc/ }).click();
        await answerAs(eve, issuer, 'unverified-eve');
        await eve.waitForURL(/\/login\?error=oauth\.unverified_email/);
        await eve.getByRole('alert').waitFor();

        await links.getByRole('button', { name: 'Take away' }).click();
        await dialog.getByLabel('Password').fill(ADMIN.password);
        await dialog.getByRole('button', { name: 'Take away' }).click();
        await dialog.waitFor({ state: 'detached' });
        await links.getByRole('button', { name: 'Link' }).waitFor();
        assert.equal((await other.request.get('/api/auth/me')).status(), 401, 'who came by the provider is out');
        for (const page of [one, other, eve]) await page.context().close();
      } finally {
        await stopProvider?.();
        await server.stop();
        // Both origins are meant, and what the provider's pages do is theirs; what our own complain about stays.
        const elsewhere = [`request to ${issuer}`, `request to ${server.base}`, 'request to https://fonts.googleapis.com', issuer];
        browser.problems.push(...browser.problems.splice(0).filter((problem) => !elsewhere.some((start) => problem.startsWith(start))));
      }
    },
  ],
];
