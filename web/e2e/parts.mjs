// Code that comes late: the connection is gone, or the server was updated, when a part of a page is first wanted.
import assert from 'node:assert/strict';
import { ADMIN, signIn } from './access.mjs';
import { call } from './work.mjs';

const RUNS = `document: {dsl: '1.0.3', namespace: test, name: in-parts, version: '1.0.0'}
do: [{said: {call: log, with: {message: here}}}]
`;

export const partTests = [
  [
    'code that cannot be loaded is told, takes nothing with it, and comes with the next attempt',
    async ({ browser }) => {
      const page = await browser.person();
      const away = 'The server cannot be reached';
      const connected = (on) => page.context().setOffline(!on);
      await page.goto('/login');
      await signIn(page, ADMIN);
      await page.getByRole('heading', { name: 'Home', level: 1 }).waitFor();
      const workflow = (await call(page, 'POST', '/api/workflows', { definition: RUNS })).body.id;
      const run = (await call(page, 'POST', `/api/workflows/${workflow}/execute`, { input: {}, wait: true })).body.id;

      // What lies over the page is told in a message.
      await page.goto(`/workflows/${workflow}`);
      await page.getByText('No findings').waitFor();
      await connected(false);
      await page.getByRole('button', { name: 'Run', exact: true }).click();
      await page.getByRole('region', { name: 'Messages' }).getByText(away).waitFor();
      await page.getByText('No findings').waitFor();
      await connected(true);
      await page.getByRole('button', { name: 'Run', exact: true }).click();
      await page.getByRole('dialog', { name: 'Run in-parts' }).getByRole('button', { name: 'Close' }).click();

      // Whoever has begun to write can open what saves it without a connection.
      const written = page.waitForResponse((reply) => reply.url().includes('save-dialog'));
      await page.getByRole('textbox', { name: 'Definition as YAML' }).click();
      await page.keyboard.press('Control+End');
      await page.keyboard.insertText('# more\n');
      await written;
      await page.getByText('No findings').waitFor();
      await connected(false);
      await page.getByRole('button', { name: 'Save', exact: true }).click();
      await page.getByRole('dialog', { name: /Save as/ }).getByRole('button', { name: 'Close' }).click();
      await page.keyboard.press('Control+Z');
      await page.getByRole('button', { name: 'Save', exact: true }).and(page.locator(':disabled')).waitFor();

      // A page that was never open.
      await page.getByRole('link', { name: 'Dead letters' }).click();
      await page.getByRole('heading', { name: 'This page could not be shown' }).waitFor();
      await page.getByRole('alert').getByText(away).waitFor();
      // What stands before the server is there again first.
      await page.evaluate(() => (window.stands = true));
      await page.route(/\/assets\/dead-letters|\/health\//, (route) => route.fulfill({ status: 502, body: 'away' }));
      const asked = page.waitForResponse((reply) => reply.url().includes('/health/'));
      await connected(true);
      await page.getByRole('button', { name: 'Try again' }).click();
      await asked;
      await page.getByRole('alert').getByText(away).waitFor();
      await page.unrouteAll();
      await page.getByRole('button', { name: 'Try again' }).click();
      await page.getByRole('heading', { name: 'Dead letters', level: 1 }).waitFor();
      assert.equal(await page.evaluate(() => window.stands), true);

      // The server has other files by now.
      const logs = /\/assets\/logs-view/;
      await page.route(logs, (route) => route.fulfill({ status: 404 }));
      await page.goto(`/runs/${run}`);
      await page.getByRole('main').getByText('Completed').first().waitFor();
      await page.keyboard.press('l');
      await page.getByRole('alert').getByText('This part could not be loaded').waitFor();
      await page.unroute(logs);
      await page.getByRole('button', { name: 'Load anew' }).click();
      await page.getByText('here', { exact: true }).first().waitFor();
      await page.context().close();
      // What a connection that is gone leaves in the console is expected, and what React says of the errors that were shown.
      browser.problems.push(...browser.problems.splice(0).filter((problem) => !/ERR_INTERNET_DISCONNECTED|status of 502|: \w{1,2}(: The server may .*)?\n    at .*\/assets\//.test(problem)));
    },
  ],
];
