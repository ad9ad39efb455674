// Agents and the assistant, with a model out of a file: what was said and called, turn by turn; a draft that is looked at before it is saved.
import assert from 'node:assert/strict';
import { call } from './work.mjs';

export const agentTests = [
  [
    'a run shows what its agent said, called and took, against its budget',
    async (world) => {
      const { page, server } = world;
      const definition = `document: {dsl: '1.0.3', namespace: test, name: looks, version: '1.0.0'}
do:
  - ask:
      call: agent
      with:
        model: scripted/helper
        instructions: Be brief.
        prompt: Is the service well?
        budget: {tokens: 60000, time: PT5M}
        max_turns: 5
        tools:
          - {function: http, name: look, with: {method: get, endpoint: '${server.base}/health'}}
`;
      const made = await call(page, 'POST', '/api/workflows', { definition });
      assert.equal(made.status, 201, JSON.stringify(made.body));
      world.agentRun = (await call(page, 'POST', `/api/workflows/${made.body.id}/execute`, { wait: true })).body.id;
      await page.goto(`/runs/${world.agentRun}`);
      await page.getByRole('button', { name: 'Agent' }).click();
      const agent = page.getByRole('region', { name: 'Agent ask' });
      await agent.getByText('Is the service well?').waitFor();
      await agent.getByText('The service is healthy.').waitFor();
      await agent.getByText(/2 turns, 1 tool call,/).waitFor();
      await agent.getByRole('meter', { name: 'Tokens' }).waitFor();
      assert.match((await agent.getByRole('meter', { name: 'Time' }).getAttribute('aria-valuetext')) ?? '', / of 5\sm$/);
      assert.equal(await agent.getByRole('meter', { name: 'Turns' }).getAttribute('aria-valuetext'), '2 of 5');
      await agent.getByText('look', { exact: true }).click();
      await agent.getByText('"healthy"').first().waitFor();
    },
  ],
  [
    'what an agent did is read as messages, by turns, or value by value, by keys too',
    async (world) => {
      const { page, axe } = world;
      await page.goto(`/runs/${world.agentRun}?view=agent`);
      const agent = page.getByRole('region', { name: 'Agent ask' });
      await agent.getByText('Turn 1').waitFor();
      await agent.getByText(/tokens in, /).first().waitFor();
      await page.keyboard.press('d');
      const records = agent.getByRole('list', { name: 'Records of ask' });
      await records.getByRole('button', { name: /^look/ }).click();
      const record = agent.getByRole('region', { name: 'Record of look' });
      await record.getByText('"healthy"').first().waitFor();
      assert.deepEqual(await axe(page), []);
      // The address keeps it.
      await page.reload();
      await records.waitFor();
      await page.keyboard.press('m');
      await agent.getByText('The service is healthy.').waitFor();
      assert.equal(await records.count(), 0);
      assert.equal(await page.getByRole('button', { name: 'Messages', pressed: true }).count(), 1);
      assert.deepEqual(await axe(page), []);
      await page.keyboard.press('t');
      await page.getByRole('button', { name: 'Turns', pressed: true }).waitFor();
      assert.equal(new URL(page.url()).searchParams.get('read'), null);
      assert.equal(new URL(page.url()).searchParams.get('view'), 'agent');
    },
  ],
  [
    'what an agent may not do alone is decided where it asks',
    async ({ page, server, axe }) => {
      const definition = `document: {dsl: '1.0.3', namespace: test, name: asks-first, version: '1.0.0'}
do:
  - ask:
      call: agent
      with:
        model: scripted/helper
        prompt: Is the service well?
        approval: [look]
        tools:
          - {function: http, name: look, with: {method: get, endpoint: '${server.base}/health'}}
`;
      const made = await call(page, 'POST', '/api/workflows', { definition });
      assert.equal(made.status, 201, JSON.stringify(made.body));
      const run = (await call(page, 'POST', `/api/workflows/${made.body.id}/execute`, {})).body.id;
      await page.goto(`/runs/${run}?view=agent`);
      const agent = page.getByRole('region', { name: 'Agent ask' });
      await agent.getByText('I will have a look.', { exact: true }).waitFor();
      await agent.getByRole('button', { name: 'Approve', exact: true }).waitFor();
      assert.deepEqual(await axe(page), []);
      // The question in the inbox leads to where the agent asks it.
      const approval = (await call(page, 'GET', `/api/approvals?run_id=${run}`)).body.items[0].id;
      await page.goto(`/approvals/${approval}`);
      await page.getByRole('article').getByRole('link', { name: /asks-first/ }).click();
      await agent.getByText('I will have a look.', { exact: true }).waitFor();
      await agent.getByRole('button', { name: 'Approve', exact: true }).click();
      await agent.getByText('The service is healthy.').waitFor();
      assert.equal(new URL(page.url()).pathname, `/runs/${run}`);
    },
  ],
  [
    'what an agent keeps between runs is shown, and forgotten',
    async ({ page, axe }) => {
      const definition = `document: {dsl: '1.0.3', namespace: test, name: keeps, version: '1.0.0'}
do:
  - ask:
      call: agent
      with:
        model: scripted/draft
        prompt: Is the service well?
        memory: {stored: {key: customer-17}}
`;
      const made = await call(page, 'POST', '/api/workflows', { definition });
      assert.equal(made.status, 201, JSON.stringify(made.body));
      const run = (await call(page, 'POST', `/api/workflows/${made.body.id}/execute`, { wait: true })).body.id;
      await page.goto(`/runs/${run}?view=agent`);
      await page.getByText('Nothing was kept from earlier runs.').waitFor();
      await page.getByText(/messages are kept for the next run/).waitFor();
      await page.getByRole('region', { name: 'Agent ask' }).getByRole('link', { name: 'Agent memory' }).click();
      await page.getByRole('heading', { name: 'Agent memory', level: 1 }).waitFor();
      await page.getByText('customer-17', { exact: true }).waitFor();
      assert.deepEqual(await axe(page), []);
      await page.getByRole('button', { name: 'Show customer-17' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByText('Is the service well?').waitFor();
      await dialog.getByRole('button', { name: 'Close' }).last().click();
      await page.getByRole('button', { name: 'Forget customer-17' }).click();
      await dialog.getByRole('button', { name: 'Forget', exact: true }).click();
      await page.getByText('Nothing is kept').waitFor();
    },
  ],
  [
    'the assistant drafts a workflow, shows it, and saves it when it is told to',
    async (world) => {
      const { page, workflow } = world;
      const before = (await call(page, 'GET', '/api/workflows?limit=200')).body.items.length;
      await page.goto('/assistant');
      await page.getByLabel('What should happen?').fill('Greet politely.');
      await page.getByLabel('Provider').selectOption({ label: 'scripted (draft)' });
      await page.getByRole('button', { name: 'Draft it' }).click();
      await page.getByText('Says hello, politely.').waitFor();
      await page.getByText('from a file, not from a model').waitFor();
      await page.getByRole('textbox', { name: 'Changes of the draft' }).waitFor();
      assert.equal((await call(page, 'GET', '/api/workflows?limit=200')).body.items.length, before);
      await page.getByRole('button', { name: 'Create the workflow' }).click();
      await page.getByRole('heading', { name: 'polite-hello' }).waitFor();
      const kept = async () => (await call(page, 'GET', '/api/workflows?limit=200')).body.items.filter(({ name }) => name.startsWith('polite-hello'));
      assert.deepEqual((await kept()).map(({ is_active: active }) => active), [true]);
      await page.goto('/assistant');
      await page.getByLabel('What should happen?').fill('Greet politely.');
      await page.getByLabel('Provider').selectOption({ label: 'scripted (draft)' });
      await page.getByRole('button', { name: 'Draft it' }).click();
      // What has changed is drawn last, and moves what stands below it.
      await page.getByRole('textbox', { name: 'Changes of the draft' }).waitFor();
      await page.getByLabel('Name').fill('polite-hello-later');
      await page.getByLabel('Keep it switched off').check();
      await page.getByRole('button', { name: 'Create the workflow' }).click();
      await page.getByRole('heading', { name: 'polite-hello-later' }).waitFor();
      assert.deepEqual((await kept()).filter(({ name }) => name === 'polite-hello-later').map(({ is_active: active }) => active), [false]);
      // Against a workflow that is there: what goes and what comes.
      await page.goto('/assistant');
      await page.getByLabel('What should happen?').fill('Be polite.');
      await page.getByLabel('Begin with').selectOption(workflow);
      await page.getByLabel('Provider').selectOption({ label: 'scripted (draft)' });
      await page.getByRole('button', { name: 'Draft it' }).click();
      const changes = page.getByRole('textbox', { name: 'Changes of the draft' });
      await changes.locator('.cm-deletedLine').first().waitFor();
      await changes.locator('.cm-changedLine').first().waitFor();
      const found = await world.axe(page);
      assert.deepEqual(found, []);
    },
  ],
];
