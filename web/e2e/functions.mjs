// Functions: their documentation, their dry run, and their way into a workflow by a form.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { call } from './work.mjs';

const INPUT = `document: {dsl: '1.0.3', namespace: test, name: asks, version: '1.0.0'}
input:
  schema:
    document:
      type: object
      properties:
        count: {type: integer, minimum: 1, description: how many}
        note: {type: string}
      required: [count]
do:
  # stays where it is
  - a: {set: {x: 1}} # and so does this
  - last: {set: {y: '\${ .x }'}}
`;

const write = (server, name, text) => {
  const folder = join(server.plugins, 'functions', name, '1.0.0');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'function.yaml'), text);
};

export const functionTests = [
  [
    'functions that users have written say what they may reach before they are called, and what is wrong with others',
    async ({ page, server, axe }) => {
      write(server, 'look-up', "metadata: {summary: Looks a price up}\ncall: http\nwith: {method: get, endpoint: 'https://prices.example/today'}\n");
      write(server, 'broken', 'call: no-such-function\n');
      await page.goto('/functions');
      await page.getByRole('button', { name: 'Read the folder again' }).click();
      const faults = page.getByRole('heading', { name: 'Files with faults' });
      await faults.waitFor();
      await page.getByText(/functions\/broken\/1\.0\.0\/function\.yaml, line 1/).first().waitFor();
      await page.getByRole('heading', { name: 'Written here' }).waitFor();
      assert.deepEqual(await axe(page), []);
      // Also who only comes by.
      await page.goto('/functions');
      await faults.waitFor();
      await page.getByRole('link', { name: 'look-up' }).click();
      await page.getByRole('heading', { name: 'What it may reach' }).waitFor();
      await page.getByText('prices.example').first().waitFor();
      await page.getByText('Version 1.0.0').waitFor();
      await page.getByText('Needs: the network').waitFor();
      assert.deepEqual(await axe(page), []);
      // Also where one is about to call it.
      await page.goto('/workflows/new/blank');
      await page.getByRole('button', { name: 'Add a task' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByRole('button', { name: /^look-up/ }).click();
      await dialog.getByRole('region', { name: 'What it may reach' }).getByText('prices.example').waitFor();
      await dialog.getByRole('button', { name: 'Cancel' }).click();
    },
  ],
  [
    'a function is found, explained, and tried out without doing anything',
    async ({ page }) => {
      await page.goto('/functions');
      await page.getByRole('searchbox').fill('shell');
      await page.waitForURL(/q=shell/);
      await page.getByRole('link', { name: 'file-organizer' }).waitFor({ state: 'detached' });
      await page.getByRole('link', { name: 'shell-command' }).click();
      await page.getByRole('heading', { name: /shell-command/ }).waitFor();
      await page.getByText('changes the outside; never repeated by itself').first().waitFor();
      await page.getByRole('button', { name: 'Show the plan' }).click();
      await page.getByText('This is needed.').waitFor();
      await page.getByRole('button', { name: 'Try example 1' }).click();
      await page.getByRole('button', { name: 'Show the plan' }).click();
      await page.getByText('This call would do the following.').waitFor();
      // The same value as JSON; what the server finds wrong stands at its place.
      await page.getByRole('group', { name: 'Write as' }).getByRole('button', { name: 'JSON' }).click();
      await page.getByLabel('Parameters', { exact: true }).last().fill('{"command": "tar", "other": 1}');
      await page.getByRole('button', { name: 'Show the plan' }).click();
      await page.getByText(/other/).last().waitFor();
    },
  ],
  [
    'a call is added with a form, comments and order stay, and the input is asked for by its schema',
    async (world) => {
      const { page } = world;
      world.asks = (await call(page, 'POST', '/api/workflows', { definition: INPUT })).body.id;
      await page.goto(`/workflows/${world.asks}`);
      await page.getByText('No findings').waitFor();
      await page.locator('.react-flow__node', { hasText: /^a/ }).first().click();
      await page.getByRole('button', { name: 'Add a task' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByRole('searchbox').fill('request');
      await dialog.getByRole('button', { name: /^http Makes/ }).click();
      await dialog.getByRole('button', { name: 'Insert' }).click();
      await dialog.getByText('This is needed.').first().waitFor();
      await dialog.getByLabel(/^method/).fill('get');
      await dialog.getByLabel(/^endpoint/).fill('https://example.org/${ .x }');
      await dialog.getByLabel('output').selectOption('response');
      await dialog.getByRole('button', { name: 'Insert' }).click();
      await dialog.waitFor({ state: 'detached' });
      await page.locator('.react-flow__node', { hasText: /^http/ }).first().waitFor();
      await page.getByRole('button', { name: 'Save', exact: true }).click();
      await dialog.getByRole('button', { name: 'Save', exact: true }).click();
      await page.getByText('Saved as version 2.').waitFor();
      const { body } = await call(page, 'GET', `/api/workflows/${world.asks}`);
      assert.match(body.definition, /# stays where it is\n {2}- a: .* # and so does this\n {2}- http:\n {6}call: http\n {6}with:\n {8}method: get\n[\s\S]*output: response\n {2}- last:/);

      await page.getByRole('button', { name: 'Dry run' }).click();
      await dialog.getByRole('button', { name: 'Start the dry run' }).click();
      await dialog.getByText('This is needed.').waitFor();
      await dialog.getByLabel(/^count/).fill('0');
      await dialog.getByText('at least 1').waitFor();
      await dialog.getByLabel(/^count/).fill('2');
      await dialog.getByRole('button', { name: 'Start the dry run' }).click();
      await dialog.getByText('What would happen').waitFor();
      await dialog.getByText('"request"').waitFor();
      await dialog.getByRole('button', { name: 'Close' }).last().click();
    },
  ],
];
