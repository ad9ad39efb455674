// What is shown is what the server said, nothing of it is kept behind one's back, and a page that breaks takes nothing else with it.
import assert from 'node:assert/strict';
import { call } from './work.mjs';

const json = (value, status = 200) => ({ status, contentType: 'application/json', body: JSON.stringify(value) });
const digits = (text) => text.match(/\d+/g) ?? [];

export const truthTests = [
  // proves: N-16
  [
    'figures are those of the server; where it gives none, none are shown',
    async ({ page, browser }) => {
      await page.goto('/');
      const figures = page.getByRole('region', { name: 'Figures' });
      await figures.getByText(/\d/).first().waitFor();
      const { body: stats } = await call(page, 'GET', '/api/stats');
      const odd = { ...stats, ended: { ...stats.ended, completed: 4711, faulted: 289 } };
      await page.route('**/api/stats*', (route) => route.fulfill(json(odd)));
      await page.reload();
      await figures.getByText('4,711 of 5,000').waitFor();
      await page.unroute('**/api/stats*');
      for (const [refused, path] of [
        ['**/api/stats*', '/'],
        ['**/api/workflows?*', '/workflows'],
        ['**/api/runs*', '/runs'],
        ['**/health/detailed', '/admin?tab=health'],
        ['**/api/audit**', '/audit'],
      ]) {
        await page.route(refused, (route) => route.fulfill(json({ title: 'Not now', detail: 'The store is away.', code: 'store.away' }, 503)));
        await page.goto(path);
        await page.getByRole('main').getByText('The store is away.').first().waitFor();
        assert.deepEqual(digits(await page.getByRole('alert').first().innerText()), [], path);
        assert.equal(await page.getByRole('main').getByRole('figure').count(), 0, path);
        assert.equal(await page.getByRole('region', { name: 'Figures' }).count(), 0, path);
        await page.unroute(refused);
      }
      browser.problems.splice(0);
    },
  ],
  // proves: N-17
  [
    'no service worker, no cache and no store of the browser keeps what the server said',
    async ({ browser, page }) => {
      await page.goto('/runs');
      await page.getByRole('list', { name: 'Runs' }).or(page.getByText('No runs yet')).waitFor();
      const kept = await page.evaluate(async () => ({
        workers: (await navigator.serviceWorker.getRegistrations()).length,
        caches: await caches.keys(),
        databases: await indexedDB.databases(),
        local: Object.keys(localStorage),
        session: Object.keys(sessionStorage),
      }));
      assert.equal(kept.workers, 0);
      assert.deepEqual([...kept.caches, ...kept.databases], []);
      // Choices, the page that is scrolled, drafts that the person typed; nothing else.
      assert.deepEqual([...kept.local, ...kept.session].filter((key) => !/^(pawl\.(theme|organization|draft|pin|zone|letters|preferences)|tsr-scroll-restoration)/.test(key)), []);
      for (const path of ['/api/runs', '/api/auth/me', '/api/workflows', '/api/audit']) {
        const reply = await page.request.get(path);
        assert.match(reply.headers()['cache-control'] ?? '', /no-store/, path);
      }
      // Without a connection there is nothing to see for whoever comes next.
      const next = await browser.open(page.context());
      await page.context().setOffline(true);
      await assert.rejects(next.goto('/runs'));
      await page.context().setOffline(false);
      await next.close();
      browser.problems.splice(0);
    },
  ],
  // proves: AI-M19
  [
    'a page that breaks says so, the rest stays, and trying again heals it',
    async ({ browser, page }) => {
      await page.goto('/');
      await page.getByRole('heading', { name: 'Home', level: 1 }).waitFor();
      // A reply that no page can show.
      const broken = /\/api\/plugins$/;
      await page.route(broken, (route) => route.fulfill(json({ items: [null] })));
      const to = (name) => page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name, exact: true }).click();
      await to('Functions');
      await page.getByRole('heading', { name: 'This page could not be shown' }).waitFor();
      assert.equal(await page.getByRole('main').count(), 1);
      await to('Schedules');
      await page.getByRole('heading', { name: 'Schedules', level: 1 }).waitFor();
      await to('Functions');
      await page.getByRole('heading', { name: 'This page could not be shown' }).waitFor();
      await page.unroute(broken);
      await page.getByRole('button', { name: 'Try again' }).click();
      await page.getByRole('heading', { name: 'This page could not be shown' }).waitFor({ state: 'detached' });
      await page.getByRole('link', { name: 'shell-command' }).waitFor();
      assert.ok(browser.problems.splice(0).length > 0, 'what broke is in the console');
    },
  ],
];
