// Folders that are watched: what the lists say of them, while the folder is missing and when it is there.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { call } from './work.mjs';

const watching = (folder) =>
  `document: {dsl: '1.0.3', namespace: test, name: of-${folder}, version: '1.0.0', metadata: {files: {folder: ${folder}, glob: '*.csv', on: [created, removed], settle: {milliseconds: 200}}}}\ndo:\n  - a: {set: {x: 1}}\n`;

async function axeInBoth(page, axe) {
  for (const theme of ['light', 'dark']) {
    await page.evaluate((name) => {
      document.documentElement.dataset.theme = name;
    }, theme);
    assert.deepEqual(await axe(page), [], theme);
  }
}

export const folderTests = [
  // proves: W6
  [
    'a watched folder is shown with what starts the workflow, and why it is not watched while it is missing',
    async ({ page, server, axe }) => {
      const inbox = join(server.folder, 'data', 'files', 'inbox');
      mkdirSync(inbox, { recursive: true });
      for (const folder of ['inbox', 'nowhere']) {
        const made = await call(page, 'POST', '/api/workflows', { definition: watching(folder) });
        assert.equal(made.status, 201, JSON.stringify(made.body));
      }
      await page.goto('/schedules');
      const there = page.getByRole('row', { name: /of-inbox/ });
      await there.getByText('inbox/*.csv').waitFor();
      await there.getByText('when a file appears, goes and stays so for 200 ms').waitFor();
      const missing = page.getByRole('row', { name: /of-nowhere/ });
      await missing.waitFor();
      // The page asks every half minute; what has become of the folders meanwhile is there when it is loaded again.
      for (const [row, word] of [[there, 'Watching'], [missing, 'Not watched']]) {
        for (let look = 0; look < 20 && (await row.getByText(word, { exact: true }).count()) === 0; look += 1) {
          await page.reload();
          await row.waitFor();
        }
        await row.getByText(word, { exact: true }).waitFor();
      }
      await axeInBoth(page, axe);
      await there.getByRole('link', { name: 'of-inbox' }).click();
      await page.getByText('inbox/*.csv').waitFor();
      await page.getByRole('button', { name: 'Pause' }).click();
      await page.getByText('paused').waitFor();
      await axeInBoth(page, axe);
    },
  ],
];
