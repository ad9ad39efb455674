// An invitation, from the mail to the first look, and a role that holds.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ADMIN } from './access.mjs';
import { call } from './work.mjs';

const packed = /Content-Transfer-Encoding: base64[^]*?\r?\n\r?\n([\w+/=\r\n]+)/g;
/** Head and text parts, whatever they are packed in. */
const plain = (mail) => [mail.replaceAll(/=\r?\n/g, '').replaceAll('=3D', '='), ...[...mail.matchAll(packed)].map((match) => Buffer.from(match[1], 'base64').toString())].join('\n');

/** The link in the newest mail to somebody: without a mail server each mail is a file. */
function linkIn(folder, address) {
  const outbox = join(folder, 'data', 'outbox');
  const mails = readdirSync(outbox)
    .filter((name) => name.endsWith('.eml'))
    .map((name) => plain(readFileSync(join(outbox, name), 'utf8')))
    .filter((mail) => mail.includes(address));
  return mails.map((mail) => /http\S+\/invitation#[\w.=-]+/.exec(mail)?.[0]).find(Boolean);
}

async function mailed(folder, address) {
  for (let attempt = 0; attempt < 400; attempt += 1) {
    try {
      const link = linkIn(folder, address);
      if (link) return link;
    } catch {
      // The folder comes with the first mail.
    }
    await new Promise((resolve) => {
      setTimeout(resolve, 25);
    });
  }
  throw new Error(`no mail to ${address}`);
}

const overwriting = (name, more) => `document: {dsl: '1.0.3', namespace: test, name: ${name}, version: '1.0.0'}\ndo:\n  - before: {set: {x: 1}}\n  - overwrite: {call: file-write, with: {path: ${name}.txt, content: x, mode: overwrite${more}}}\n`;

export const teamTests = [
  [
    'somebody is invited by mail, joins by its link, and may do what the role allows, also when that changes',
    async ({ page, browser, server, workflow }) => {
      await page.goto('/organization');
      await page.getByRole('button', { name: 'Invite' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByLabel('E-mail address').fill('mia@example.org');
      await dialog.getByLabel('Role').selectOption('viewer');
      await dialog.getByRole('button', { name: 'Invite' }).click();
      await page.getByText('The invitation is on its way.').waitFor();
      await page.getByRole('row', { name: /mia@example.org/ }).getByText('Viewer').waitFor();
      const link = new URL(await mailed(server.folder, 'mia@example.org'));
      const mia = await browser.person();
      await mia.goto(`${link.pathname}${link.hash}`);
      await mia.getByText(/You are invited to .* as viewer\./).waitFor();
      assert.equal(await mia.getByLabel('E-mail address').inputValue(), 'mia@example.org');
      await mia.getByLabel('Your name').fill('Mia');
      await mia.getByLabel('Password').fill(ADMIN.password);
      await mia.getByRole('button', { name: 'Accept the invitation' }).click();
      await mia.getByRole('heading', { name: 'Home', level: 1 }).waitFor();
      await mia.goto(`/workflows/${workflow}`);
      await mia.getByText('No findings').waitFor();
      assert.equal(await mia.getByRole('button', { name: /^(Save|Run|Add a task)$/ }).count(), 0);
      const { body: me } = await call(page, 'GET', '/api/auth/me');
      const organization = { 'X-Organization-Id': me.organization_id };
      assert.equal((await mia.request.post(`/api/workflows/${workflow}/execute`, { data: {}, headers: organization })).status(), 403);
      // Another role, and the page of the one it belongs to shows it at the next look.
      await page.reload();
      const kept = page.waitForResponse((reply) => reply.request().method() === 'PUT' && /\/members\//.test(reply.url()));
      await page.getByLabel('Role of Mia').selectOption('member');
      assert.equal((await kept).status(), 200);
      await page.waitForFunction(() => {
        const select = document.querySelector('select[aria-label="Role of Mia"]');
        return select?.value === 'member' && !select.disabled;
      });
      await mia.reload();
      await mia.getByRole('button', { name: 'Run', exact: true }).click();
      await mia.getByRole('dialog').getByLabel('Input (JSON)').fill('{"people": ["Mia"]}');
      await mia.getByRole('dialog').getByRole('button', { name: 'Run', exact: true }).click();
      await mia.waitForURL(/\/runs\//);
      await mia.getByRole('main').getByText('Completed').first().waitFor();
      // The link worked once.
      await page.goto('about:blank');
      const stranger = await browser.person();
      await stranger.goto(`${link.pathname}${link.hash}`);
      await stranger.getByRole('alert').waitFor();
      await page.goto('/organization');
      // A page of hers that is open would ask for live news again, and be told 404.
      await mia.goto('about:blank');
      await page.getByRole('button', { name: 'Remove: Mia' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
      await page.getByText('mia@example.org').waitFor({ state: 'detached' });
      assert.equal((await mia.request.get('/api/workflows', { headers: organization })).status(), 404);
      await stranger.context().close();
      await mia.context().close();
    },
  ],
  [
    'an owner says whose runs may destroy',
    async ({ page }) => {
      await page.goto('/organization');
      const choice = page.getByLabel('Whose runs may destroy');
      for (const role of ['admin', 'member']) {
        await choice.selectOption(role);
        const saved = page.waitForResponse((response) => response.request().method() === 'PUT');
        await page.getByRole('button', { name: 'Save' }).click();
        assert.equal((await (await saved).json()).destroy_role, role);
        await page.reload();
        await choice.waitFor();
        assert.equal(await choice.inputValue(), role);
      }
    },
  ],
  [
    'a step that may not destroy says that it only planned, why, and what to do',
    async ({ page, browser, axe }) => {
      const make = async (name, more) => (await call(page, 'POST', '/api/workflows', { definition: overwriting(name, more) })).body.id;
      // Not allowed by the definition.
      await page.goto('/');
      const unasked = await make('unasked', '');
      const notAllowed = (await call(page, 'POST', `/api/workflows/${unasked}/execute`, { wait: true })).body.id;
      await page.goto(`/runs/${notAllowed}?view=timeline`);
      await page.getByText('overwrite was planned only: nothing was done.').waitFor();
      await page.getByRole('row', { name: /overwrite/ }).getByText('planned only').waitFor();
      await page.getByRole('button', { name: 'Why, and what to do' }).click();
      const refusal = page.getByRole('region', { name: 'Planned only, nothing was done' });
      await refusal.getByText(/Write allow_destructive: true/).waitFor();
      assert.deepEqual(await axe(page), []);
      await refusal.getByRole('link', { name: 'Open the task in the editor' }).click();
      await page.waitForURL(/\/workflows\/.*at=/);
      // Not permitted to the role of who starts it; to the owner it is.
      const allowed = await make('allowed', ', allow_destructive: true');
      const { body: me } = await call(page, 'GET', '/api/auth/me');
      const bob = await browser.person();
      await bob.goto('/register');
      await bob.getByLabel('Your name').fill('Bob');
      await bob.getByLabel('E-mail address').fill('bob@example.org');
      await bob.getByLabel('Password').fill(ADMIN.password);
      await bob.getByRole('button', { name: 'Create an account' }).click();
      await bob.getByRole('heading', { name: 'Home', level: 1 }).waitFor();
      const his = (await call(bob, 'GET', '/api/auth/me')).body.id;
      assert.equal((await call(page, 'POST', `/api/organizations/${me.organization_id}/members`, { user_id: his, role: 'member' })).status, 201);
      assert.equal((await call(page, 'PUT', `/api/organizations/${me.organization_id}`, { destroy_role: 'admin' })).status, 200);
      await bob.evaluate((id) => localStorage.setItem('pawl.organization', id), me.organization_id);
      const refused = (await call(bob, 'POST', `/api/workflows/${allowed}/execute?organization_id=${me.organization_id}`, { wait: true })).body.id;
      await bob.goto(`/runs/${refused}?view=timeline`);
      await bob.getByRole('button', { name: 'Why, and what to do' }).click();
      await bob.getByRole('region', { name: 'Planned only, nothing was done' }).getByText(/Ask somebody with a larger role/).waitFor();
      assert.equal(await bob.getByRole('link', { name: 'Who may destroy in this organization' }).count(), 0);
      await bob.context().close();
      await page.goto(`/runs/${refused}?view=timeline`);
      await page.getByRole('button', { name: 'Why, and what to do' }).click();
      await refusal.getByRole('link', { name: 'Who may destroy in this organization' }).waitFor();
      const done = (await call(page, 'POST', `/api/workflows/${allowed}/execute`, { wait: true })).body.id;
      await page.goto(`/runs/${done}?view=timeline`);
      await page.getByRole('row', { name: /overwrite/ }).waitFor();
      assert.equal(await page.getByText(/planned only/i).count(), 0);
      assert.equal((await call(page, 'PUT', `/api/organizations/${me.organization_id}`, { destroy_role: 'member' })).status, 200);
      assert.equal((await call(page, 'DELETE', `/api/organizations/${me.organization_id}/members/${his}`)).status, 204);
    },
  ],
];
