// One task tried alone; two versions by their tasks; places of a run in the version that it had.
import assert from 'node:assert/strict';
import { call } from './work.mjs';

const head = (name) => `document: {dsl: '1.0.3', namespace: test, name: ${name}, version: '1.0.0'}\n`;
const trial = (base) => `${head('trial')}do:
  - ask:
      call: http
      with: {method: post, endpoint: '${base}/nowhere', body: {amount: '\${ .amount }'}}
  - each:
      for: {each: pet, in: '\${ .pets }'}
      do:
        - name: {set: {said: '\${ "Hello " + $pet }'}}
  - decide:
      switch:
        - large: {when: '\${ .amount > 100 }', then: review}
        - usual: {then: ship}
  - ship: {set: {shipped: true}}
  - review: {set: {reviewed: true}}
`;

const tasks = (...lines) => `${head('compared')}do:\n${lines.map((line) => `  - ${line}\n`).join('')}`;
const raises = (title) => `${head('aged')}do:\n  - a: {raise: {error: {type: 'https://example.org/e', status: 400, title: ${title}}}}\n`;

/** Of the editor: chooses a task in the graph and opens its test. */
async function open(page, name) {
  await page.locator('.react-flow__node', { hasText: new RegExp(`^${name}`) }).first().click();
  const panel = page.getByRole('complementary', { name: `Test of ${name}` });
  if ((await panel.count()) === 0) await page.getByRole('button', { name: 'Test this task' }).click();
  await panel.waitFor();
  return panel;
}

export const trialTests = [
  [
    'a task is tested alone: with what came in last, with what one writes, with what is not saved',
    async (world) => {
      const { page, server } = world;
      const { body } = await call(page, 'POST', '/api/workflows', { definition: trial(server.base) });
      await call(page, 'POST', `/api/workflows/${body.id}/execute`, { input: { amount: 7, pets: ['Rex'] }, dry_run: true, wait: true });
      await page.goto(`/workflows/${body.id}`);
      await page.getByText('No findings').waitFor();
      let panel = await open(page, 'ask');
      await panel.getByText('What came in at the last run.').waitFor();
      assert.match(await panel.getByLabel('Input (JSON)').inputValue(), /"amount": 7/);
      await panel.getByRole('button', { name: 'Test', exact: true }).click();
      const plan = panel.getByRole('tree', { name: 'What it would do' });
      await plan.getByText(/nowhere/).waitFor();
      assert.deepEqual(await world.axe(page), []);
      // What one writes is kept in this tab, through a reload.
      panel = await open(page, 'decide');
      await panel.getByLabel('Input (JSON)').fill('{"amount": 700}');
      await panel.getByRole('button', { name: 'Test', exact: true }).click();
      await panel.getByText('goes on with review').waitFor();
      await page.reload();
      await page.getByText('No findings').waitFor();
      panel = await open(page, 'decide');
      assert.equal(await panel.getByLabel('Input (JSON)').inputValue(), '{"amount": 700}');
      await panel.getByRole('button', { name: 'Forget it' }).click();
      await panel.getByText('Your own').waitFor({ state: 'detached' });
      assert.doesNotMatch(await panel.getByLabel('Input (JSON)').inputValue(), /700/);
      // Of a loop: what it binds is asked for; and the text counts as it stands, saved or not.
      const inner = await open(page, 'name');
      await inner.getByLabel('Variables (JSON)').fill('{"pet": "Ada", "index": 0}');
      await inner.getByRole('button', { name: 'Test', exact: true }).click();
      await inner.getByText('"Hello Ada"').waitFor();
      await page.getByRole('textbox', { name: 'Definition as YAML' }).click();
      await page.keyboard.press('Control+End');
      await page.keyboard.insertText('  - last: {set: {unsaved: "${ .x + 1 }"}}\n');
      await page.locator('.react-flow__node', { hasText: /^last/ }).waitFor();
      const last = await open(page, 'last');
      await last.getByLabel('Input (JSON)').fill('{"x": 41}');
      await last.getByRole('button', { name: 'Test', exact: true }).click();
      await last.getByText('42').waitFor();
      assert.equal((await call(page, 'GET', `/api/workflows/${body.id}`)).body.version, 1, 'nothing was saved');
      await page.getByRole('button', { name: 'Close' }).first().click();
      await page.evaluate((id) => localStorage.removeItem(`pawl.draft.${id}`), body.id);
      // The page asks before it is left with changes.
      page.once('dialog', (dialog) => void dialog.accept());
      await page.goto('/workflows');
    },
  ],
  [
    'the test of a task begins with the context that its last run had',
    async ({ page }) => {
      const definition = `${head('exports')}do:
  - kept: {set: {seen: 7}, export: {as: '\${ $context + {seen} }'}}
  - uses: {set: {found: '\${ $context.seen }'}}
`;
      const { body } = await call(page, 'POST', '/api/workflows', { definition });
      await call(page, 'POST', `/api/workflows/${body.id}/execute`, { wait: true });
      await page.goto(`/workflows/${body.id}`);
      await page.getByText('No findings').waitFor();
      const panel = await open(page, 'uses');
      await panel.getByText('What $context was at the last run.').waitFor();
      assert.deepEqual(JSON.parse(await panel.getByLabel('Context (JSON)').inputValue()), { seen: 7 });
      await panel.getByRole('button', { name: 'Test', exact: true }).click();
      await panel.getByRole('status').getByText(/^found/).waitFor();
    },
  ],
  [
    'two versions are compared by their tasks, in a list and in both graphs, and an older one can be read',
    async (world) => {
      const { page } = world;
      const { body } = await call(page, 'POST', '/api/workflows', { definition: tasks('a: {set: {x: 1}}', 'b: {set: {x: 2}}', 'gone: {set: {x: 3}}') });
      const put = await call(page, 'PUT', `/api/workflows/${body.id}`, { definition: tasks('a: {set: {x: 10}}', 'b: {set: {x: 2}}', 'fresh: {set: {x: 4}}') });
      assert.equal(put.status, 200);
      await page.goto(`/workflows/${body.id}/versions`);
      await page.getByRole('button', { name: 'Tasks', exact: true }).click();
      await page.waitForURL(/view=tasks/);
      const list = page.getByRole('list', { name: 'Tasks that changed' });
      for (const [change, path] of [['added', '/fresh'], ['removed', '/gone'], ['changed', '/a']]) await list.getByRole('listitem').filter({ hasText: path }).getByText(change).waitFor();
      const graph = (version) => page.getByRole('region', { name: `Graph of version ${version}` });
      await graph(1).locator('.react-flow__node', { hasText: /^gone.*removed/ }).waitFor();
      await graph(2).locator('.react-flow__node', { hasText: /^fresh.*added/ }).waitFor();
      await graph(2).locator('.react-flow__node', { hasText: /^a.*changed/ }).waitFor();
      assert.equal(await graph(2).locator('.react-flow__node', { hasText: /^b.*(changed|moved)/ }).count(), 0);
      assert.deepEqual(await world.axe(page), []);
      await list.getByRole('link', { name: '/gone' }).click();
      await page.getByText('This is version 1; the current one is 2.').waitFor();
      await page.locator('.cm-activeLine', { hasText: 'gone' }).waitFor();
      assert.equal(await page.getByRole('button', { name: /^(Save|Run|Add a task|Test this task)$/ }).count(), 0);
      await page.getByRole('link', { name: 'Go to the current version' }).click();
      await page.getByText('This is version 1').waitFor({ state: 'detached' });
      await page.getByRole('button', { name: 'Add a task' }).waitFor();
    },
  ],
  [
    'what an earlier release saved, and this one would not, is drawn in its run, in the editor and as an older version',
    async ({ page, server }) => {
      const before = `${head('from-before')}do:
  - asks: {if: '\${ false }', call: mcp, with: {method: tools/list, transport: {server: none}}}
  - kept: {set: {x: 1}}
`;
      const { body } = await call(page, 'POST', '/api/workflows', { definition: before });
      const run = (await call(page, 'POST', `/api/workflows/${body.id}/execute`, { wait: true })).body.id;
      server.alter("update workflow_versions set definition = replace(definition, 'server: none}', 'server: none}, tol: x') where definition like '%name: from-before%'");
      const nodes = () => Promise.all(['asks', 'kept'].map((name) => page.locator('.react-flow__node', { hasText: new RegExp(`^${name}`) }).waitFor()));
      await page.goto(`/runs/${run}`);
      await nodes();
      await page.goto(`/workflows/${body.id}`);
      await page.getByText(/`tol` is not known here/).first().waitFor();
      await nodes();
      const put = await call(page, 'PUT', `/api/workflows/${body.id}`, { definition: before.replace('x: 1', 'x: 2') });
      assert.equal(put.status, 200);
      await page.goto(`/workflows/${body.id}?version=1`);
      await page.getByText('This is version 1; the current one is 2.').waitFor();
      await nodes();
    },
  ],
  [
    'a failed run goes on from the task that one has chosen',
    async ({ page }) => {
      const { body } = await call(page, 'POST', '/api/workflows', { definition: tasks('first: {set: {x: 1}}', 'between: {set: {x: 2}}', "last: {raise: {error: {type: 'https://example.org/e', status: 400, title: no}}}") });
      const run = (await call(page, 'POST', `/api/workflows/${body.id}/execute`, { wait: true })).body.id;
      const times = async () => {
        const { status, tasks: all } = (await call(page, 'GET', `/api/runs/${run}`)).body;
        const of = (name) => Math.max(...all.filter((task) => task.name === name).map(({ attempt }) => attempt));
        return { status, first: of('first'), between: of('between'), last: of('last') };
      };
      assert.deepEqual(await times(), { status: 'faulted', first: 1, between: 1, last: 1 });
      await page.goto(`/runs/${run}`);
      await page.locator('.react-flow__node', { hasText: /^between/ }).click();
      const done = page.waitForResponse((reply) => reply.url().endsWith(`/api/runs/${run}/retry`));
      await page.getByRole('button', { name: 'Retry from between' }).click();
      assert.equal((await done).status(), 202);
      let now = await times();
      for (const end = Date.now() + 20_000; (now.status !== 'faulted' || now.last === 1) && Date.now() < end; now = await times());
      // What was chosen is done again, what stands before it is not; without a task it would have begun at the last, that failed.
      assert.deepEqual(now, { status: 'faulted', first: 1, between: 2, last: 2 });
    },
  ],
  [
    'words are completed where one writes, out of what the server can do, and explained under the pointer',
    async ({ page }) => {
      const known = page.waitForResponse((reply) => reply.url().endsWith('/api/plugins'));
      await page.goto('/workflows/new/blank');
      await page.getByText('No findings').waitFor();
      await known;
      const text = page.getByRole('textbox', { name: 'Definition as YAML' });
      await text.click();
      await page.keyboard.press('Control+End');
      await page.keyboard.insertText('  - look:\n      call: ');
      await page.keyboard.type('htt', { delay: 30 });
      await page.keyboard.press('Control+Space');
      const offered = page.getByRole('option', { name: /^http/, selected: true });
      await offered.waitFor();
      // By pointer: the editor takes keys that come within a moment of the list for those of the text.
      await offered.click();
      await page.waitForFunction(() => /call: http$/m.test(document.querySelector('.cm-content')?.innerText ?? ''));
      await text.getByText('call', { exact: true }).last().hover();
      await page.locator('.cm-help').waitFor();
      page.once('dialog', (one) => void one.accept());
      await page.goto('/workflows');
    },
  ],
  [
    'an error of an old run leads to its place in the version that ran',
    async ({ page }) => {
      const { body } = await call(page, 'POST', '/api/workflows', { definition: raises('first') });
      const run = (await call(page, 'POST', `/api/workflows/${body.id}/execute`, { wait: true })).body.id;
      await call(page, 'PUT', `/api/workflows/${body.id}`, { definition: raises('second') });
      await page.goto(`/runs/${run}?task=/do/0/a`);
      await page.getByRole('complementary', { name: 'Task a' }).getByRole('link', { name: '/do/0/a' }).click();
      await page.getByText('This is version 1; the current one is 2.').waitFor();
      await page.locator('.cm-activeLine', { hasText: 'first' }).waitFor();
    },
  ],
  [
    'an administrator reads settings with their sources, no secret among them, and what is limited',
    async ({ page }) => {
      await page.goto('/admin?tab=settings');
      const row = (name) => page.getByRole('row', { name: new RegExp(`^${name}`) });
      await row('LOG_LEVEL').getByText('warning').waitFor();
      await row('LOG_LEVEL').getByText('environment').waitFor();
      await page.getByLabel('Only what differs from the defaults').check();
      await row('ACCESS_TOKEN_EXPIRE_MINUTES').waitFor({ state: 'detached' });
      await page.getByRole('searchbox', { name: 'Search settings' }).fill('no such setting');
      await page.getByText('No setting matches').waitFor();
      await page.getByRole('button', { name: 'Limits' }).click();
      await page.getByText('Limits are switched off').waitFor();
      await page.getByRole('row', { name: /Signing in, for each address/ }).getByText('5 in 1 m').waitFor();
    },
  ],
];
