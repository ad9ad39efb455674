// The work itself: from the first workflow to its first run, edits, versions, a live run, what a viewer may not do.
import assert from 'node:assert/strict';
import { ADMIN } from './access.mjs';

/** Calls the API as the signed-in page does. */
export async function call(page, method, path, body) {
  return page.evaluate(
    async ([how, where, what]) => {
      const token = document.cookie.split('; ').find((part) => part.includes('pawl_csrf='))?.split('=').slice(1).join('=') ?? '';
      const headers = { 'Content-Type': 'application/json', 'X-CSRF-Token': token };
      const reply = await fetch(where, { method: how, headers, ...(what === undefined ? {} : { body: JSON.stringify(what) }) });
      return { status: reply.status, body: reply.headers.get('Content-Type')?.includes('json') ? await reply.json() : null };
    },
    [method, path, body],
  );
}

const editor = (page) => page.getByRole('textbox', { name: 'Definition as YAML' });

/** Puts the cursor at the end of the document and types there. */
async function typeAtEnd(page, text) {
  await editor(page).click();
  await page.keyboard.press('Control+End');
  await page.keyboard.insertText(text);
}

async function save(page, summary) {
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  const dialog = page.getByRole('dialog');
  if (summary) await dialog.getByLabel('What has changed (optional)').fill(summary);
  await dialog.getByRole('button', { name: 'Save', exact: true }).click();
  await dialog.waitFor({ state: 'detached' });
}

const UNDOING = `document:
  dsl: '1.0.3'
  namespace: examples
  name: undoing
  version: '1.0.0'
do:
  - reserve:
      call: log
      with: { message: reserved }
      metadata:
        compensate:
          listen: { to: { one: { with: { type: org.example.undo } } } }
  - hold:
      wait: { hours: 1 }
`;

const WAITING = `document:
  dsl: '1.0.3'
  namespace: examples
  name: patient
  version: '1.0.0'
do:
  - before:
      set: { number: 7 }
  - hold:
      listen:
        to:
          one:
            with: { type: org.example.go }
  - after:
      set: { done: true }
`;

export const workTests = [
  [
    'every sample is accepted as it is, and the first workflow runs to its end in the browser',
    async (world) => {
      const { page } = world;
      const others = ['Work side by side', 'Try again, then heal', 'Scripts in Python', 'Ask somebody first', 'Watch a web address', 'An agent with a tool'];
      for (const name of [...others, 'Greet everybody']) {
        await page.goto('/workflows/new');
        await page.getByRole('link', { name: new RegExp(name) }).click();
        await page.getByText('No findings').waitFor();
        await page.locator('.react-flow__node').first().waitFor();
      }
      await save(page);
      await page.getByRole('heading', { name: 'greet-everybody' }).waitFor();
      world.workflow = /workflows\/([\w-]+)$/.exec(page.url())[1];
      await page.getByRole('button', { name: 'Run', exact: true }).click();
      const dialog = page.getByRole('dialog', { name: 'Run greet-everybody' });
      assert.match(await dialog.getByLabel('Input (JSON)').inputValue(), /Ada/);
      await dialog.getByLabel('Input (JSON)').fill('{"people": ');
      assert.ok(await dialog.getByRole('button', { name: 'Run' }).isDisabled());
      await dialog.getByLabel('Input (JSON)').fill('{"people": ["Ada", "Grace"]}');
      await dialog.getByRole('button', { name: 'Run', exact: true }).click();
      await page.waitForURL(/\/runs\//);
      world.run = /runs\/([\w-]+)/.exec(page.url())[1];
      await page.getByRole('main').getByText('Completed').first().waitFor();
      await page.getByRole('button', { name: 'Input and output' }).click();
      await page.getByText('"Hello, Ada! Hello, Grace!"').waitFor();
      world.task = (await call(page, 'GET', `/api/runs/${world.run}`)).body.tasks[0].reference;
    },
  ],
  [
    // proves: W3
    'an error is shown in its line, beside the graph, and corrected with one click',
    async ({ page, workflow }) => {
      await page.goto(`/workflows/${workflow}`);
      await page.getByText('No findings').waitFor();
      await typeAtEnd(page, '  - extra:\n      call: htp\n');
      const findings = page.getByRole('region', { name: 'Findings' });
      await findings.getByText('There is no function `htp`.').waitFor();
      assert.ok(await page.getByRole('button', { name: 'Save', exact: true }).isDisabled());
      await findings.getByRole('button', { name: 'Replace with http' }).click();
      await page.getByText('There is no function `htp`.').waitFor({ state: 'detached' });
    },
  ],
  [
    'what was typed is there after the tab was closed, and can be taken back',
    async (world) => {
      const again = await world.page.context().newPage();
      await again.goto(world.page.url());
      await again.getByText('Changes that were not saved were brought back.').waitFor();
      await again.getByRole('button', { name: 'Go back to what is saved' }).click();
      await again.getByText('No findings').waitFor();
      await again.close({ runBeforeUnload: false });
      await world.page.close({ runBeforeUnload: false });
      world.page = await world.browser.open(again.context());
    },
  ],
  [
    'a task added in the graph is text, keeps the comments, and becomes a version that can be compared and rolled back',
    async ({ page, workflow }) => {
      await page.goto(`/workflows/${workflow}`);
      await page.getByText('No findings').waitFor();
      await page.locator('.react-flow__node', { hasText: 'rest' }).last().click();
      await page.getByRole('button', { name: 'Add a task' }).click();
      await page.getByRole('dialog').getByRole('button', { name: /^set/ }).click();
      await page.locator('.react-flow__node', { hasText: 'set' }).filter({ hasText: /^set/ }).first().waitFor();
      await save(page, 'Add a step');
      await page.getByText('Saved as version 2.').waitFor();
      const { body } = await call(page, 'GET', `/api/workflows/${workflow}`);
      assert.match(body.definition, /^# Greets each person/);
      assert.match(body.definition, /wait: \{ seconds: 1 \}\n {2}- set:\n {6}set:\n {8}value: \$\{ \. \}\n {2}- answer:/);
      await page.getByRole('link', { name: 'Versions' }).click();
      await page.getByText('added: /set').waitFor();
      await page.getByRole('button', { name: 'Roll back to version 1' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Roll back' }).click();
      await page.getByText('Version 3 has the content of version 1.').waitFor();
      const rolled = await call(page, 'GET', `/api/workflows/${workflow}`);
      assert.equal(rolled.body.version, 3);
      assert.doesNotMatch(rolled.body.definition, /value:/);
    },
  ],
  [
    'two who edit do not overwrite each other',
    async ({ page, workflow }) => {
      await page.goto(`/workflows/${workflow}`);
      await page.getByText('No findings').waitFor();
      const { body } = await call(page, 'GET', `/api/workflows/${workflow}`);
      await call(page, 'PUT', `/api/workflows/${workflow}`, { definition: `${body.definition}# theirs\n` });
      await typeAtEnd(page, '# mine\n');
      await page.getByRole('button', { name: 'Save', exact: true }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByRole('button', { name: 'Save', exact: true }).click();
      await dialog.getByText('Somebody else has saved a newer version').waitFor();
      await dialog.getByRole('button', { name: 'Save mine on top' }).click();
      await dialog.waitFor({ state: 'detached' });
      assert.match((await call(page, 'GET', `/api/workflows/${workflow}`)).body.definition, /# mine/);
    },
  ],
  [
    'a run is followed live: it waits, is suspended and resumed, hears its event, ends',
    async (world) => {
      const { page } = world;
      const made = await call(page, 'POST', '/api/workflows', { definition: WAITING });
      world.patient = made.body.id;
      const run = await call(page, 'POST', `/api/workflows/${world.patient}/execute`, { input: {} });
      let questions = 0;
      const counted = (request) => {
        if (new URL(request.url()).pathname === '/api/approvals' && request.url().includes(run.body.id)) questions += 1;
      };
      page.on('request', counted);
      // Each is a reason to read again: the server listens from now on, for the run or for the number of approvals above it, or events were missed.
      let doubts = 0;
      page.once('websocket', (socket) =>
        socket.on('framereceived', ({ payload }) => {
          const { type, topics = [] } = JSON.parse(payload);
          if (type === 'reset') doubts += 1;
          if (type === 'subscribed') doubts += topics.filter((topic) => ['approvals', `run:${run.body.id}`].includes(topic)).length;
        }),
      );
      await page.goto(`/runs/${run.body.id}`);
      const state = page.getByRole('main').locator('[aria-live]').first();
      await state.getByText('Waiting').waitFor();
      await page.getByRole('main').getByText('Waits: event of type org.example.go', { exact: true }).waitFor();
      await page.locator('.react-flow__node', { hasText: 'hold' }).click();
      await page.getByRole('complementary', { name: 'Task hold' }).getByText('listen').waitFor();
      await page.getByRole('button', { name: 'Suspend' }).click();
      await state.getByText('Suspended').waitFor();
      await page.getByRole('main').getByText('Waits: suspended by request', { exact: true }).waitFor();
      await page.getByRole('button', { name: 'Resume' }).click();
      await state.getByText('Waiting').waitFor();
      // From elsewhere: only the live connection can tell the page.
      const event = { specversion: '1.0', id: 'go-1', source: '/tests', type: 'org.example.go', data: {} };
      assert.equal((await call(page, 'POST', '/api/events', event)).status, 202);
      await state.getByText('Completed').waitFor();
      await page.getByRole('button', { name: 'Timeline' }).click();
      await page.getByRole('rowheader', { name: 'after' }).waitFor();
      page.off('request', counted);
      // At first and for each doubt, not with every task: nobody was asked anything.
      assert.ok(questions <= 1 + doubts, `${questions} questions for approvals, ${doubts} doubts`);
    },
  ],
  [
    'a live connection that breaks is taken up again: it is said meanwhile, and what happened is there afterwards',
    async ({ page: other, browser, patient }) => {
      const run = (await call(other, 'POST', `/api/workflows/${patient}/execute`, { input: {} })).body.id;
      const page = await browser.open(other.context());
      const open = [];
      let broken = false;
      await page.routeWebSocket(/\/ws/, (socket) => {
        if (broken) return void socket.close();
        open.push(socket);
        socket.connectToServer();
      });
      await page.goto(`/runs/${run}`);
      const state = page.getByRole('main').locator('[aria-live]').first();
      await state.getByText('Waiting').waitFor();
      broken = true;
      for (const socket of open.splice(0)) await socket.close();
      await page.getByText('Reconnecting').waitFor();
      const event = { specversion: '1.0', id: 'go-broken', source: '/tests', type: 'org.example.go', data: {} };
      assert.equal((await call(other, 'POST', '/api/events', event)).status, 202);
      for (let look = 0; look < 200 && (await call(other, 'GET', `/api/runs/${run}`)).body.status !== 'completed'; look += 1);
      assert.equal(await state.getByText('Waiting').count(), 1, 'nobody has told the page yet');
      broken = false;
      await state.getByText('Completed').waitFor();
      await page.getByText('Reconnecting').waitFor({ state: 'detached' });
      await page.close();
    },
  ],
  [
    'an address that names no run leaves the page listening to all else',
    async (world) => {
      const { page } = world;
      const refused = [];
      const listens = new Promise((resolve) => {
        page.once('websocket', (socket) =>
          socket.on('framereceived', ({ payload }) => {
            const { type, topics } = JSON.parse(payload);
            if (type === 'error') refused.push(topics);
            if (type === 'subscribed' && topics.includes('approvals')) resolve();
          }),
        );
      });
      await page.goto('/runs/none-of-them');
      await page.getByRole('main').getByRole('alert').waitFor();
      await listens;
      // The server refuses what there is not by its name, before it takes the others.
      for (const topics of refused) assert.deepEqual(topics, ['run:none-of-them']);
    },
  ],
  [
    'a run is cancelled with a reason, and forked from a task with another input',
    async ({ page, patient }) => {
      const run = await call(page, 'POST', `/api/workflows/${patient}/execute`, { input: {} });
      await page.goto(`/runs/${run.body.id}`);
      const state = page.getByRole('main').locator('[aria-live]').first();
      await state.getByText('Waiting').waitFor();
      await page.getByRole('button', { name: 'Cancel' }).click();
      await page.getByRole('dialog').getByLabel('Reason (optional)').fill('not needed any more');
      await page.getByRole('dialog').getByRole('button', { name: 'Cancel the run' }).click();
      await state.getByText('Cancelled').waitFor();
      await page.locator('.react-flow__node', { hasText: 'hold' }).click();
      await page.getByRole('button', { name: 'Fork from hold' }).click();
      await page.getByRole('dialog').getByLabel('Input (JSON)').fill('{"number": 8}');
      await page.getByRole('dialog').getByRole('button', { name: 'Start the fork' }).click();
      await page.waitForURL((url) => /\/runs\//.test(url.pathname) && !url.pathname.includes(run.body.id));
      await state.getByText('Waiting').waitFor();
    },
  ],
  [
    'what the last run was given is offered before one can type, so that the two never mix',
    async ({ page, workflow }) => {
      let release;
      const held = new Promise((resolve) => (release = resolve));
      const runs = '**/api/workflows/*/executions?*';
      await page.goto(`/workflows/${workflow}`);
      await page.getByText('No findings').waitFor();
      await page.route(runs, async (route) => {
        await held;
        await route.continue();
      });
      await page.getByRole('button', { name: 'Run', exact: true }).click();
      const input = page.getByRole('dialog').getByLabel('Input (JSON)');
      await input.waitFor();
      assert.equal(await input.isEditable(), false);
      release();
      await page.getByRole('dialog').getByText('The input of the last run.').waitFor();
      assert.equal(await input.isEditable(), true);
      assert.match(await input.inputValue(), /people/);
      await page.unroute(runs);
    },
  ],
  [
    'the list of runs keeps its filters in the address, and tells of new runs without moving',
    async ({ page, workflow }) => {
      await page.goto('/runs?status=cancelled');
      const list = page.getByRole('list', { name: 'Runs' });
      await list.getByText('Cancelled').waitFor();
      assert.equal(await list.getByRole('listitem').count(), 1);
      await page.getByLabel('Status').selectOption('');
      await page.waitForURL((url) => url.search === '');
      await list.getByText('Completed').first().waitFor();
      await call(page, 'POST', `/api/workflows/${workflow}/execute`, { input: { people: ['Lin'] } });
      await page.getByRole('button', { name: /new run/ }).click();
      await page.getByRole('button', { name: /new run/ }).waitFor({ state: 'detached' });
    },
  ],
  [
    'a run that undoes what it did says how it ends, and can be broken off only while it is suspended',
    async ({ page }) => {
      const made = await call(page, 'POST', '/api/workflows', { definition: UNDOING });
      const run = await call(page, 'POST', `/api/workflows/${made.body.id}/execute`, { input: {} });
      await page.goto(`/runs/${run.body.id}`);
      const main = page.getByRole('main');
      const state = main.locator('[aria-live]').first();
      await state.getByText('Waiting').waitFor();
      await page.getByRole('button', { name: 'Cancel' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Cancel the run' }).click();
      await main.getByText('Winds up, then ends as cancelled').waitFor();
      await main.getByText('Waits: event of type org.example.undo').waitFor();
      assert.equal(await page.getByRole('button', { name: /^(Cancel|Break it off)$/ }).count(), 0);
      await page.getByRole('button', { name: 'Suspend' }).click();
      await page.getByRole('button', { name: 'Break it off' }).click();
      await page.getByRole('dialog').getByText('What it has not undone yet stays done.').waitFor();
      await page.getByRole('dialog').getByRole('button', { name: 'End the run as it is' }).click();
      await state.getByText('Cancelled').waitFor();
      await main.getByText('Winds up').waitFor({ state: 'detached' });
      assert.equal((await call(page, 'DELETE', `/api/workflows/${made.body.id}`)).status, 204);
    },
  ],
  [
    'the strip of last runs follows the workflow that runs, and asks for no other',
    async ({ page }) => {
      const make = async (name) => (await call(page, 'POST', '/api/workflows', { definition: `document: {dsl: '1.0.3', namespace: test, name: ${name}, version: '1.0.0'}\ndo:\n  - a: {set: {x: 1}}\n` })).body.id;
      const [runs, rests] = [await make('strip-runs'), await make('strip-rests')];
      const asked = { [runs]: 0, [rests]: 0 };
      let requests = 0;
      const counted = (request) => {
        const { pathname, searchParams } = new URL(request.url());
        if (pathname !== '/api/runs/newest') return;
        requests += 1;
        for (const id of searchParams.get('workflow_ids').split(',')) asked[id] += 1;
      };
      page.on('request', counted);
      await page.goto('/workflows?q=strip-');
      const strip = (name) => page.getByRole('row', { name: new RegExp(name) }).getByRole('img');
      await strip('strip-rests').waitFor();
      await strip('strip-runs').waitFor();
      assert.deepEqual([asked[runs], asked[rests]], [requests, requests], 'one request for both');
      Object.assign(asked, { [runs]: 0, [rests]: 0 });
      for (let times = 0; times < 5; times += 1) await call(page, 'POST', `/api/workflows/${runs}/execute`, { wait: true });
      await strip('strip-runs').and(page.getByRole('img', { name: /5 completed/ })).waitFor();
      page.off('request', counted);
      assert.ok(asked[runs] >= 1);
      // Once more where the server listened late.
      assert.ok(asked[rests] <= 1, `asked ${asked[rests]} times for the runs of a workflow that has none`);
    },
  ],
  [
    'a workflow is taken along as a file, taken over from one, switched on and off, and deleted',
    async ({ page, axe, workflow }) => {
      await page.goto(`/workflows/${workflow}`);
      await page.getByRole('button', { name: 'More for this workflow' }).click();
      const saving = page.waitForEvent('download');
      await page.getByRole('menuitem', { name: 'Download the definition' }).click();
      const file = await saving;
      assert.match(file.suggestedFilename(), /\.yaml$/);
      await page.goto('/workflows/new');
      await page.getByLabel('File with a definition (YAML or JSON)').setInputFiles({ name: 'taken.yaml', mimeType: 'application/yaml', buffer: Buffer.from(WAITING) });
      await page.getByRole('heading', { name: 'patient' }).waitFor();
      const { pathname } = new URL(page.url());
      assert.notEqual(pathname, `/workflows/${workflow}`);
      await page.getByText('Inactive').waitFor();
      const standing = async (active) => assert.equal((await call(page, 'GET', `/api${pathname}`)).body.is_active, active);
      for (const [button, said, active] of [['Switch on', /can be started again/, true], ['Switch off', /Nothing starts this workflow now/, false]]) {
        await page.getByRole('button', { name: 'More for this workflow' }).click();
        await page.getByRole('menuitem', { name: button }).click();
        await page.getByText(said).waitFor();
        await standing(active);
      }
      await page.getByRole('button', { name: 'More for this workflow' }).click();
      await page.getByRole('menuitem', { name: 'Delete' }).click();
      const dialog = page.getByRole('dialog');
      assert.deepEqual(await axe(page), []);
      await dialog.getByRole('button', { name: 'Delete' }).click();
      await page.getByRole('heading', { name: 'Workflows', level: 1 }).waitFor();
      assert.equal((await call(page, 'GET', `/api${pathname}`)).status, 404);
    },
  ],
  [
    'the palette finds pages and workflows from the keyboard',
    async ({ page }) => {
      await page.goto('/runs');
      await page.getByRole('heading', { name: 'Runs' }).waitFor();
      await page.keyboard.press('Control+k');
      await page.getByPlaceholder('Go to a page, a workflow or a run').fill('patient');
      await page.getByRole('option', { name: /patient/ }).waitFor();
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { name: 'patient' }).waitFor();
    },
  ],
  [
    'a viewer sees everything and changes nothing',
    async (world) => {
      const { page, browser, workflow } = world;
      const viewer = await browser.person();
      await viewer.goto('/register');
      await viewer.getByLabel('Your name').fill('Vera');
      await viewer.getByLabel('E-mail address').fill('vera@example.org');
      await viewer.getByLabel('Password').fill(ADMIN.password);
      await viewer.getByRole('button', { name: 'Create an account' }).click();
      await viewer.getByRole('heading', { name: 'Home' }).waitFor();
      world.viewer = viewer;
      const { body: me } = await call(page, 'GET', '/api/auth/me');
      const { body: vera } = await call(viewer, 'GET', '/api/auth/me');
      const added = await call(page, 'POST', `/api/organizations/${me.organization_id}/members`, { user_id: vera.id, role: 'viewer' });
      assert.equal(added.status, 201);
      await viewer.reload();
      await viewer.getByRole('button', { name: /^Organization/ }).click();
      await viewer.getByRole('menuitemradio').filter({ hasNotText: 'Vera' }).first().click();
      await viewer.getByRole('link', { name: 'Workflows' }).click();
      await viewer.getByRole('link', { name: 'greet-everybody' }).click();
      await viewer.getByText('No findings').waitFor();
      assert.equal(await viewer.getByRole('button', { name: /^(Save|Run|Add a task)$/ }).count(), 0);
      await editor(viewer).click();
      await viewer.keyboard.insertText('x');
      assert.ok(!(await editor(viewer).innerText()).startsWith('x'));
      await viewer.goto(`/runs/${world.run}`);
      await viewer.getByRole('main').getByText('Completed').first().waitFor();
      assert.equal(await viewer.getByRole('button', { name: /^(Fork|Retry|Cancel)/ }).count(), 0);
      // What the page hides the server refuses.
      const organization = { headers: { 'X-Organization-Id': me.organization_id } };
      const refused = await viewer.request.post(`/api/workflows/${workflow}/execute`, { data: {}, ...organization });
      assert.equal(refused.status(), 403);
    },
  ],
];
