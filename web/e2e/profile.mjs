// One's own account: password, second factor, sessions, API keys.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { ADMIN, signIn } from './access.mjs';

const NEW = 'another engine of long words';

/** What an authenticator app shows for this key (RFC 6238), `steps` half minutes from now. */
function codeOf(base32, steps = 0) {
  const bits = [...base32].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const mac = createHmac('sha1', key).update(counter).digest();
  return String((mac.readUInt32BE((mac.at(-1) ?? 0) & 15) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

const section = (page, name) => page.locator('section').filter({ has: page.getByRole('heading', { name, exact: true }) });

export const profileTests = [
  [
    'a second factor is set up, asked for at the sign-in, taken in by a backup code, and switched off',
    async (world) => {
      const { browser, axe } = world;
      const zoe = await browser.person();
      world.zoe = zoe;
      await zoe.goto('/register');
      await zoe.getByLabel('Your name').fill('Zoe');
      await zoe.getByLabel('E-mail address').fill('zoe@example.org');
      await zoe.getByLabel('Password').fill(ADMIN.password);
      await zoe.getByRole('button', { name: 'Create an account' }).click();
      await zoe.getByRole('heading', { name: 'Home', level: 1 }).waitFor();
      await zoe.goto('/profile');
      const factor = section(zoe, 'Second factor');
      await factor.getByRole('button', { name: 'Set up' }).click();
      const dialog = zoe.getByRole('dialog');
      await dialog.getByLabel('Password').fill('not the password at all');
      await dialog.getByRole('button', { name: 'Set up' }).click();
      await dialog.getByRole('alert').waitFor();
      await dialog.getByLabel('Password').fill(ADMIN.password);
      await dialog.getByRole('button', { name: 'Set up' }).click();
      const uri = await dialog.getByRole('link', { name: 'Open in an app on this device' }).getAttribute('href');
      await dialog.getByRole('img', { name: 'The key as a QR code' }).waitFor();
      const secret = new URL(uri).searchParams.get('secret');
      assert.deepEqual(await axe(zoe), []);
      await dialog.getByRole('textbox', { name: 'Code' }).fill('000000');
      await dialog.getByRole('button', { name: 'Switch on' }).click();
      await dialog.getByRole('alert').waitFor();
      await dialog.getByRole('textbox', { name: 'Code' }).fill(codeOf(secret));
      await dialog.getByRole('button', { name: 'Switch on' }).click();
      const codes = dialog.getByRole('listitem');
      await codes.nth(9).waitFor();
      const backup = await codes.first().innerText();
      await dialog.getByRole('button', { name: 'I have kept them' }).click();
      await factor.getByText('is asked for at every sign-in').waitFor();

      const leave = async () => {
        await zoe.getByRole('button', { name: /Your account/ }).click();
        await zoe.getByRole('menuitem', { name: 'Sign out' }).click();
        await zoe.getByRole('heading', { name: 'Sign in to Pawl' }).waitFor();
      };
      // A code works once, so the next one is of the next half minute.
      for (const code of [codeOf(secret, 1), backup]) {
        await leave();
        await signIn(zoe, { email: 'zoe@example.org', password: ADMIN.password });
        await zoe.getByRole('textbox', { name: 'Code' }).fill(code);
        await zoe.getByRole('button', { name: 'Sign in' }).click();
        await zoe.getByRole('heading', { name: 'Home', level: 1 }).waitFor();
      }
      await zoe.goto('/profile');
      await factor.getByRole('button', { name: 'Switch off' }).click();
      await dialog.getByLabel('Password').fill(ADMIN.password);
      await dialog.getByRole('textbox', { name: 'Code' }).fill(backup);
      await dialog.getByRole('button', { name: 'Switch off' }).click();
      await dialog.getByRole('alert').waitFor();
      await zoe.keyboard.press('Escape');
    },
  ],
  [
    'the password is changed, other sessions end then, or one by one',
    async ({ zoe, browser }) => {
      await zoe.goto('/profile');
      const elsewhere = await browser.person();
      const names = section(zoe, 'Account');
      await names.getByLabel('Your name').fill('Zoe Z');
      await names.getByRole('button', { name: 'Save' }).click();
      await zoe.getByText('The name was saved.').waitFor();
      const password = section(zoe, 'Password');
      await password.getByLabel('Current password').fill('not the password at all');
      await password.getByLabel('New password').fill(NEW);
      await password.getByRole('button', { name: 'Change the password' }).click();
      await password.getByRole('alert').waitFor();
      await password.getByLabel('Current password').fill(ADMIN.password);
      await password.getByRole('button', { name: 'Change the password' }).click();
      await zoe.getByText('The password was changed.').waitFor();
      await elsewhere.goto('/login');
      await signIn(elsewhere, { email: 'zoe@example.org', password: ADMIN.password });
      await elsewhere.getByRole('alert').waitFor();
      await signIn(elsewhere, { email: 'zoe@example.org', password: NEW });
      await elsewhere.getByRole('textbox', { name: 'Code' }).waitFor();
      await elsewhere.context().close();
    },
  ],
  [
    'a key for a program is made, shown once, works as far as it may, and is revoked',
    async ({ zoe, server }) => {
      await zoe.goto('/profile');
      const keys = section(zoe, 'API keys');
      await keys.getByRole('button', { name: 'New key' }).click();
      const dialog = zoe.getByRole('dialog');
      await dialog.getByLabel('Name').fill('reader');
      await dialog.getByRole('button', { name: 'New key' }).click();
      await dialog.getByText('The key is shown only now.').waitFor();
      const key = /pawl_[\w-]+/.exec(await dialog.innerText())?.[0];
      const ask = (method, path) => fetch(server.base + path, { method, headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' }, ...(method === 'POST' ? { body: '{"definition": "x"}' } : {}) });
      assert.equal((await ask('GET', '/api/workflows')).status, 200);
      assert.equal((await ask('POST', '/api/workflows')).status, 403);
      await dialog.getByRole('button', { name: 'Close' }).last().click();
      const row = keys.getByRole('row', { name: /reader/ });
      assert.equal((await row.innerText()).includes(key), false);
      await row.getByRole('button', { name: 'Revoke' }).click();
      const revoked = zoe.waitForResponse((reply) => reply.request().method() === 'DELETE' && /\/api\/api-keys\//.test(reply.url()));
      await dialog.getByRole('button', { name: 'Revoke' }).click();
      // What lies below an open dialog is hidden from roles: the row alone would seem to be gone at once.
      await revoked;
      await row.waitFor({ state: 'detached' });
      assert.equal((await ask('GET', '/api/workflows')).status, 401);
    },
  ],
  [
    'sessions are listed, and end one by one or all others together',
    async ({ page, browser }) => {
      const others = [await browser.person(), await browser.person()];
      for (const other of others) {
        await other.goto('/login');
        await signIn(other, ADMIN);
        await other.getByRole('heading', { name: 'Home', level: 1 }).waitFor();
      }
      await page.goto('/profile');
      const sessions = section(page, 'Sessions');
      await sessions.getByText('this one').waitFor();
      const before = await sessions.getByRole('row').count();
      await sessions.getByRole('button', { name: 'End', exact: true }).first().click();
      await page.waitForFunction((rows) => [...document.querySelectorAll('table')].some((table) => table.caption?.textContent === 'Sessions' && table.rows.length === rows), before - 1);
      await sessions.getByRole('button', { name: 'End all others' }).click();
      await sessions.getByRole('button', { name: 'End all others' }).waitFor({ state: 'detached' });
      assert.equal(await sessions.getByRole('row').count(), 2, 'the head, and this one');
      for (const other of others) {
        assert.equal((await other.request.get('/api/auth/me')).status(), 401);
        await other.context().close();
      }
      browser.problems.splice(0);
    },
  ],
];
