// What keys do: in lists, on a run, in the editor, at a question. All of them stand on the sheet behind `?`.
import assert from 'node:assert/strict';
import { call } from './work.mjs';

const head = (name) => `document: {dsl: '1.0.3', namespace: keys, name: ${name}, version: '1.0.0'}\n`;

async function make(page, definition) {
  const made = await call(page, 'POST', '/api/workflows', { definition });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  return made.body.id;
}

const run = async (page, workflow) => (await call(page, 'POST', `/api/workflows/${workflow}/execute`, { wait: true })).body.id;
const focused = (page) => page.evaluate(() => document.activeElement?.textContent ?? '');

/** Within the page: the tasks of the text, in their order. */
const shows = (names) => [...(document.querySelector('.cm-content')?.innerText ?? '').matchAll(/^ +- (\w+):/gm)].map(([, name]) => name).join() === names;

export const keyboardTests = [
  [
    'j and k go through lists, Enter opens the row',
    async ({ page }) => {
      await make(page, `${head('list-one')}do:\n  - a: {set: {x: 1}}\n`);
      const two = await make(page, `${head('list-two')}do:\n  - a: {set: {x: 1}}\n`);
      await run(page, two);
      await page.goto('/workflows?q=list-');
      await page.getByRole('row', { name: /list-two/ }).waitFor();
      await page.keyboard.press('j');
      const first = await focused(page);
      await page.keyboard.press('j');
      const second = await focused(page);
      assert.deepEqual([first, second].toSorted(), ['list-one', 'list-two']);
      await page.keyboard.press('k');
      assert.equal(await focused(page), first);
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { name: first, level: 1 }).waitFor();
      await page.goto('/runs');
      await page.getByRole('list', { name: 'Runs' }).getByRole('link').first().waitFor();
      await page.keyboard.press('j');
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { name: 'list-two', level: 1 }).waitFor();
    },
  ],
  [
    'on a run keys go to tasks, to what failed, to its data, to the runs beside it, and retry it',
    async ({ page, axe }) => {
      const workflow = await make(page, `${head('on-a-run')}do:\n  - a: {set: {x: 1}}\n  - b: {set: {x: 2}}\n  - c: {raise: {error: {type: 'urn:x', status: 418, title: Teapot}}}\n`);
      const runs = [await run(page, workflow), await run(page, workflow)];
      await page.goto(`/runs/${runs[0]}?view=timeline`);
      await page.getByRole('button', { name: 'c', exact: true }).waitFor();
      const panel = (name) => page.getByRole('complementary', { name: `Task ${name}` });
      await page.keyboard.press('j');
      await panel('a').waitFor();
      await page.keyboard.press('j');
      await panel('b').waitFor();
      await page.keyboard.press('k');
      await panel('a').waitFor();
      await page.keyboard.press('e');
      await panel('c').getByText('Teapot').first().waitFor();
      await page.keyboard.press('i');
      await page.getByRole('heading', { name: 'Trigger' }).waitFor();
      await page.keyboard.press('t');
      await page.getByRole('table', { name: 'Timeline' }).waitFor();
      await page.keyboard.press('l');
      await page.getByText('Nothing was logged').waitFor();
      await page.keyboard.press('t');
      await page.getByRole('table', { name: 'Timeline' }).waitFor();
      await page.keyboard.press(']');
      await page.waitForURL(new RegExp(runs[1]));
      await page.getByText('Faulted').first().waitFor();
      await page.keyboard.press('[');
      await page.waitForURL(new RegExp(runs[0]));
      await page.getByRole('button', { name: 'c', exact: true }).waitFor();
      const retried = page.waitForResponse((reply) => reply.url().endsWith(`/api/runs/${runs[0]}/retry`));
      await page.keyboard.press('Shift+R');
      assert.equal((await retried).status(), 202);
      assert.deepEqual(await axe(page), []);
    },
  ],
  [
    'x chooses runs, which are then retried or cancelled together',
    async ({ page, axe }) => {
      const failing = await make(page, `${head('chosen-failing')}do:\n  - a: {raise: {error: {type: 'urn:x', status: 418, title: Teapot}}}\n`);
      const open = await make(page, `${head('chosen-open')}do:\n  - hold: {wait: {hours: 1}}\n`);
      const faulted = [await run(page, failing), await run(page, failing)];
      const waiting = (await call(page, 'POST', `/api/workflows/${open}/execute`, {})).body.id;
      await page.goto('/runs?q=chosen-');
      const list = page.getByRole('list', { name: 'Runs' });
      await list.getByRole('listitem').nth(2).waitFor();
      const bar = page.getByRole('region', { name: 'Chosen runs' });
      // The newest stands first: the open one, then the two that failed.
      await page.keyboard.press('j');
      await page.keyboard.press('x');
      await bar.getByText('1 run chosen').waitFor();
      await bar.getByRole('button', { name: 'Cancel 1 that is open' }).waitFor();
      await page.keyboard.press('j');
      await page.keyboard.press('x');
      await page.keyboard.press('j');
      await page.keyboard.press('x');
      await bar.getByText('3 runs chosen').waitFor();
      assert.equal(new URL(page.url()).pathname, '/runs');
      assert.deepEqual(await axe(page), []);
      const retried = [];
      page.on('response', (reply) => {
        if (reply.url().endsWith('/retry')) retried.push(`${reply.status()} ${reply.url().split('/').at(-2)}`);
      });
      await bar.getByRole('button', { name: 'Retry 2 that failed' }).click();
      await page.getByText('2 runs go on from what failed.').waitFor();
      assert.deepEqual(retried.toSorted(), faulted.map((id) => `202 ${id}`).toSorted());
      await bar.waitFor({ state: 'detached' });
      // With the pointer, and let go again; then for good, after one was asked.
      await list.getByRole('checkbox', { name: /of chosen-open/ }).check();
      await page.keyboard.press('Space');
      await bar.waitFor({ state: 'detached' });
      await page.keyboard.press('x');
      await page.keyboard.press('Escape');
      await bar.waitFor({ state: 'detached' });
      await page.keyboard.press('x');
      await bar.getByRole('button', { name: 'Cancel 1 that is open' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Cancel 1 that is open' }).click();
      await page.getByText('1 run is told to stop.').waitFor();
      await list.getByRole('listitem').filter({ hasText: 'chosen-open' }).getByText('Cancelled').waitFor();
      assert.equal((await call(page, 'GET', `/api/runs/${waiting}`)).body.status, 'cancelled');
    },
  ],
  [
    'Space looks at a row without going there, moves along with it, and leaves focus and choice alone',
    async ({ page, axe }) => {
      const failing = await make(page, `${head('peek-failing')}do:\n  - brew: {raise: {error: {type: 'urn:x', status: 418, title: Teapot, detail: Short and stout}}}\n`);
      const open = await make(page, `${head('peek-open')}do:\n  - hold: {wait: {hours: 1}}\n`);
      await run(page, failing);
      const waiting = (await call(page, 'POST', `/api/workflows/${open}/execute`, {})).body.id;
      await page.waitForFunction(async (id) => (await (await fetch(`/api/runs/${id}`)).json()).status === 'waiting', waiting);
      await page.goto('/runs?q=peek-');
      await page.getByRole('list', { name: 'Runs' }).getByRole('listitem').nth(1).waitFor();
      // With no run in focus the space bar is the browser's: it scrolls.
      assert.equal(await page.evaluate(() => document.body.dispatchEvent(new KeyboardEvent('keydown', { key: ' ', bubbles: true, cancelable: true }))), true);
      // The newest stands first.
      await page.keyboard.press('j');
      await page.keyboard.press('Space');
      const look = (name) => page.getByRole('region', { name: `A look at ${name}` });
      await look('peek-open').getByText('hold').waitFor();
      await look('peek-open').getByText('1 waiting').waitFor();
      assert.deepEqual(await axe(page), []);
      await page.keyboard.press('j');
      await look('peek-failing').getByText('Short and stout', { exact: true }).waitFor();
      assert.equal(await look('peek-open').count(), 0);
      assert.equal(await page.evaluate(() => document.activeElement?.closest('[data-row]') !== null), true);
      assert.equal(await page.getByRole('region', { name: 'Chosen runs' }).count(), 0);
      await page.keyboard.press('x');
      await page.keyboard.press('Escape');
      await look('peek-failing').waitFor({ state: 'detached' });
      await page.getByRole('region', { name: 'Chosen runs' }).getByText('1 run chosen').waitFor();
      await page.keyboard.press('Space');
      await look('peek-failing').getByRole('link', { name: 'Open the run' }).click();
      await page.getByRole('heading', { name: 'peek-failing', level: 1 }).waitFor();
      // The header says what it waits for, in words.
      await page.goto(`/runs/${waiting}`);
      await page.getByRole('main').getByText(/^Waits: timer due/).waitFor();
      await page.goto('/workflows?q=peek-');
      await page.getByRole('row', { name: /peek-failing/ }).getByRole('img', { name: /1 faulted/ }).waitFor();
      await page.keyboard.press('j');
      await page.keyboard.press('j');
      await page.keyboard.press('Space');
      const workflows = page.getByRole('region', { name: /^A look at peek-/ });
      await workflows.getByText('Median duration').waitFor();
      assert.deepEqual(await axe(page), []);
      await page.keyboard.press('Space');
      await workflows.waitFor({ state: 'detached' });
      await call(page, 'POST', `/api/runs/${waiting}/cancel`, {});
    },
  ],
  [
    'a letter at a question leads to the decision and decides nothing',
    async ({ page }) => {
      const workflow = await make(page, `${head('question')}do:\n  - ask: {call: approval, with: {title: 'By keys alone?'}}\n`);
      await call(page, 'POST', `/api/workflows/${workflow}/execute`, {});
      await page.goto('/approvals');
      await page.getByRole('link', { name: 'By keys alone?' }).waitFor();
      await page.keyboard.press('j');
      await page.keyboard.press('Enter');
      await page.getByRole('button', { name: 'Approve' }).waitFor();
      await page.keyboard.press('Shift+R');
      assert.equal(await focused(page), 'Reject');
      await page.keyboard.press('a');
      assert.equal(await focused(page), 'Approve');
      await page.keyboard.press('Enter');
      await page.getByRole('article', { name: 'By keys alone?' }).getByText('Approved').first().waitFor();
    },
  ],
  [
    'in the editor keys move, rename, test and mend a task',
    async ({ page, axe }) => {
      const workflow = await make(page, `${head('in-the-editor')}do:\n  - first: {set: {x: 1}, then: last}\n  - middle: {set: {x: 2}}\n  - last: {set: {x: 3}}\n`);
      await page.goto(`/workflows/${workflow}`);
      await page.getByText('No findings').waitFor();
      const text = page.getByRole('textbox', { name: 'Definition as YAML' });
      const shown = () => text.innerText();
      await text.getByText('last').last().click();
      // The task under the cursor is the chosen one once the text was read.
      await page.getByRole('button', { name: 'Rename the task' }).and(page.locator(':enabled')).waitFor();
      // The cursor goes along with what is moved, so that the next key means the same task.
      for (const [key, order] of [
        ['Alt+ArrowUp', ['first', 'last', 'middle']],
        ['Alt+ArrowUp', ['last', 'first', 'middle']],
        ['Alt+ArrowDown', ['first', 'last', 'middle']],
      ]) {
        await page.keyboard.press(key);
        await page.waitForFunction(shows, order.join());
      }
      await page.keyboard.press('F2');
      const dialog = page.getByRole('dialog', { name: 'Rename last' });
      await dialog.getByLabel('New name').fill('middle');
      await dialog.getByRole('button', { name: 'Rename the task' }).click();
      await dialog.getByText('A task has this name already.').waitFor();
      assert.deepEqual(await axe(page), []);
      await dialog.getByLabel('New name').fill('end-of-it');
      await page.keyboard.press('Enter');
      await dialog.waitFor({ state: 'detached' });
      await page.waitForFunction(() => document.querySelector('.cm-content')?.innerText.includes('then: end-of-it'));
      assert.match(await shown(), /- end-of-it: \{set: \{x: 3\}\}/);
      await page.getByText('No findings').waitFor();
      await text.getByText('middle').last().click();
      await page.getByRole('button', { name: 'Test this task' }).and(page.locator(':enabled')).waitFor();
      await page.keyboard.press('Control+Enter');
      await page.getByRole('button', { name: 'Test this task', pressed: true }).waitFor();
      await text.click();
      await page.keyboard.press('Control+End');
      await page.keyboard.insertText('  - wrong: {call: htp, with: {}}\n');
      await page.getByRole('button', { name: /Replace with/ }).first().waitFor();
      await page.keyboard.press('ArrowUp');
      await page.keyboard.press('Control+.');
      await page.waitForFunction(() => /call: http\b/.test(document.querySelector('.cm-content')?.innerText ?? ''));
      // What is not saved is left; the journeys after this one ask as the page that they find.
      page.once('dialog', (one) => void one.accept());
      await page.goto('/');
    },
  ],
];
