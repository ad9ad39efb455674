// The first minutes of an installation by the clock: on a server of its own, by what the pages offer and nothing else.
import assert from 'node:assert/strict';
import { ADMIN } from './access.mjs';
import { startServer } from './server.mjs';

const MOST = 120_000;

export const firstRunTests = [
  [
    'from the setup link to the end of the first run it takes less than two minutes',
    async ({ browser }) => {
      const server = await startServer();
      let page;
      try {
        page = await browser.person({ baseURL: server.base });
        const began = performance.now();
        await page.goto(server.setupLink());
        await page.getByLabel('Your name').fill(ADMIN.name);
        await page.getByLabel('E-mail address').fill(ADMIN.email);
        await page.getByLabel('Password').fill(ADMIN.password);
        await page.getByRole('button', { name: 'Create the administrator' }).click();
        await page.getByRole('link', { name: 'Choose a sample' }).click();
        await page.getByRole('link', { name: /Greet everybody/ }).click();
        await page.getByText('No findings').waitFor();
        await page.getByRole('button', { name: 'Save', exact: true }).click();
        await page.getByRole('dialog').getByRole('button', { name: 'Save', exact: true }).click();
        await page.getByRole('heading', { name: 'greet-everybody' }).waitFor();
        await page.getByRole('button', { name: 'Run', exact: true }).click();
        await page.getByRole('dialog', { name: 'Run greet-everybody' }).getByRole('button', { name: 'Run', exact: true }).click();
        await page.waitForURL(/\/runs\//);
        await page.getByRole('main').getByText('Completed').first().waitFor();
        const took = performance.now() - began;
        assert.ok(took < MOST, `it took ${Math.round(took / 1000)} s`);
        // The guide has done its work.
        await page.getByRole('link', { name: 'Home' }).click();
        await page.getByRole('region', { name: 'Figures' }).waitFor();
        await page.getByText('Your first workflow, in three steps').waitFor({ state: 'detached' });
      } finally {
        await page?.context().close();
        await server.stop();
        // Of what is asked elsewhere, this server is no stranger here.
        browser.problems.push(...browser.problems.splice(0).filter((problem) => !problem.startsWith(`request to ${server.base}`)));
      }
    },
  ],
];
