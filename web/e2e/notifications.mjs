// What somebody is told: live, with a link to what it is about; what one wishes to hear; and channels of the organization.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { call } from './work.mjs';

const BAD = "document: {dsl: '1.0.3', namespace: test, name: tells, version: '1.0.0'}\ndo:\n  - a: {raise: {error: {type: 'https://example.org/e', status: 400, title: no}}}\n";

/** Takes messages and keeps them. */
function receiver() {
  const taken = [];
  const server = createServer((request, reply) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      taken.push({ signature: request.headers['x-pawl-signature'], body: Buffer.concat(parts).toString() });
      reply.writeHead(204).end();
    });
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve({ server, taken, url: `http://127.0.0.1:${server.address().port}/hook` }));
  });
}

/** In a page: listens by a connection of its own, and then promises in `window.heard` the name of the next event. */
function hearsOfNotifications() {
  return new Promise((listens) => {
    const socket = new WebSocket(`${location.origin.replace(/^http/, 'ws')}/ws`, ['pawl.v1']);
    socket.onopen = () => socket.send(JSON.stringify({ type: 'subscribe', topics: ['notifications'] }));
    window.heard = new Promise((heard) => {
      socket.onmessage = ({ data }) => {
        const message = JSON.parse(data);
        if (message.type === 'subscribed') listens();
        if (message.type !== 'event') return;
        socket.close();
        heard(message.event);
      };
    });
  });
}

export const notificationTests = [
  [
    'what happens between the first look and the first live word is not missed',
    async ({ page: other, browser }) => {
      const page = await browser.open(other.context());
      let listen;
      const mayListen = new Promise((resolve) => (listen = resolve));
      await page.routeWebSocket(/\/ws/, (socket) => {
        const held = [];
        let server;
        socket.onMessage((text) => (server ? server.send(text) : held.push(text)));
        void mayListen.then(() => {
          server = socket.connectToServer();
          for (const text of held) server.send(text);
        });
      });
      const looked = page.waitForResponse((reply) => reply.url().includes('/api/notifications?'));
      await page.goto('/notifications');
      await looked;
      await page.getByRole('heading', { name: 'Notifications', level: 1 }).waitFor();
      await other.evaluate(hearsOfNotifications);
      const between = (await call(other, 'POST', '/api/workflows', { definition: BAD.replace('name: tells', 'name: between') })).body.id;
      await call(other, 'POST', `/api/workflows/${between}/execute`, { wait: true });
      assert.equal(await other.evaluate(() => window.heard), 'notification.created');
      const link = page.getByRole('list', { name: 'Notifications' }).getByRole('link', { name: /between/ });
      assert.equal(await link.count(), 0, 'nobody has told the page yet');
      listen();
      await link.waitFor();
      await page.close();
    },
  ],
  [
    'a run that fails is told at once, leads to the run, and is read then',
    async ({ page }) => {
      await page.goto('/notifications');
      await page.getByRole('heading', { name: 'Notifications', level: 1 }).waitFor();
      // Something is new for certain, whatever ran before, and is read before it counts.
      const noise = (await call(page, 'POST', '/api/workflows', { definition: BAD.replace('name: tells', 'name: noise') })).body.id;
      await call(page, 'POST', `/api/workflows/${noise}/execute`, { wait: true });
      await page.getByRole('list', { name: 'Notifications' }).getByRole('link', { name: /noise/ }).first().waitFor();
      const all = page.getByRole('button', { name: 'Mark all as read' });
      const told = page.waitForResponse((reply) => reply.url().endsWith('/api/notifications/read-all'));
      await all.click();
      assert.ok((await told).ok());
      await page.getByRole('navigation', { name: 'Main' }).getByText(/(is|are) new/).waitFor({ state: 'detached' });
      const workflow = (await call(page, 'POST', '/api/workflows', { definition: BAD })).body.id;
      const run = (await call(page, 'POST', `/api/workflows/${workflow}/execute`, { wait: true })).body.id;
      // Only the live connection can tell the page.
      await page.getByRole('navigation', { name: 'Main' }).getByText('1 is new').waitFor();
      await page.getByRole('list', { name: 'Notifications' }).getByRole('link', { name: /tells/ }).first().click();
      await page.waitForURL(new RegExp(`/runs/${run}`));
      await page.getByRole('navigation', { name: 'Main' }).getByText('is new').waitFor({ state: 'detached' });
      await page.goto('/notifications?show=new&kind=run.failed');
      await page.getByText('Nothing is new').waitFor();
    },
  ],
  [
    'wishes are kept as they are made',
    async ({ page }) => {
      await page.goto('/notifications?tab=preferences');
      const mail = page.getByRole('checkbox', { name: 'Runs that fail: by mail' });
      assert.equal(await mail.isChecked(), false);
      const kept = page.waitForResponse((reply) => reply.url().endsWith('/api/notifications/preferences') && reply.request().method() === 'PUT');
      await mail.click();
      await kept;
      await page.reload();
      await page.waitForFunction(() => document.querySelector('input[aria-label="Runs that fail: by mail"]')?.checked === true);
    },
  ],
  [
    'a channel is added, tested and deleted; its address is never shown again',
    async ({ page }) => {
      const { server, taken, url } = await receiver();
      try {
        await page.goto('/notifications?tab=channels');
        await page.getByText('No channels').waitFor();
        await page.getByRole('button', { name: 'New channel' }).click();
        const dialog = page.getByRole('dialog');
        await dialog.getByLabel('Kind').selectOption('webhook');
        await dialog.getByLabel('Name').fill('on call');
        await dialog.getByLabel('Address').fill(`${url}?token=sesame`);
        await dialog.getByLabel('Key (optional)').fill('a key for signatures of messages');
        await dialog.getByLabel('Runs that fail').check();
        await dialog.getByRole('button', { name: 'Save' }).click();
        const row = page.getByRole('row', { name: /on call/ });
        await row.getByText('signed').waitFor();
        assert.ok(!(await page.content()).includes('sesame'));
        await row.getByRole('button', { name: 'Send a test message to on call' }).click();
        await page.getByText('The channel took the message.').waitFor();
        assert.ok(taken[0].signature?.startsWith('t='), 'signed');
        await row.getByRole('button', { name: 'Delete on call' }).click();
        await dialog.getByRole('button', { name: 'Delete' }).click();
        await page.getByText('No channels').waitFor();
      } finally {
        server.close();
      }
    },
  ],
];
