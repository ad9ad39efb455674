// A run that failed is mended: a model proposes, a person looks at the difference and approves, the new version runs.
import assert from 'node:assert/strict';
import { call } from './work.mjs';

const BROKEN = `# Adds amounts up.
document: {dsl: '1.0.3', namespace: test, name: sums, version: '1.0.0'}
do:
  - sum: {set: {total: '\${ .amounts | add | error }'}}
`;

export const healingTests = [
  // proves: A3
  [
    'a failed run is mended with a person: proposal, difference, approval, a new version that runs',
    async (world) => {
      const { page } = world;
      const workflow = (await call(page, 'POST', '/api/workflows', { definition: BROKEN })).body.id;
      const run = (await call(page, 'POST', `/api/workflows/${workflow}/execute`, { input: { amounts: [1, 2] }, wait: true })).body.id;
      world.mended = run;
      await page.goto(`/runs/${run}`);
      await page.getByRole('button', { name: 'Remedies' }).click();
      await page.getByRole('button', { name: 'Propose a remedy' }).click();
      const remedies = page.getByRole('list', { name: 'Remedies' });
      await remedies.getByText('The sum is raised as an error.').waitFor();
      const difference = remedies.getByRole('region', { name: 'What changes in the definition' });
      assert.match(await difference.innerText(), /-.*add \| error[^]*\+.*add \}/);
      await remedies.getByRole('link', { name: 'Look and decide' }).click();
      const article = page.getByRole('article');
      await article.getByRole('region', { name: 'What changes in the definition' }).waitFor();
      assert.equal((await call(page, 'GET', `/api/workflows/${workflow}`)).body.version, 1, 'nothing has changed yet');
      assert.deepEqual(await world.axe(page), []);
      await article.getByRole('button', { name: 'Approve' }).click();
      await article.getByText('Approved').first().waitFor();
      await page.goto(`/runs/${run}?view=remedies`);
      await remedies.getByText('it worked').waitFor();
      assert.deepEqual(await world.axe(page), []);
      await remedies.getByRole('link', { name: 'version 2' }).waitFor();
      await remedies.getByRole('link', { name: 'See the run' }).click();
      await page.getByRole('main').getByText('Completed').first().waitFor();
      assert.equal((await call(page, 'GET', `/api/workflows/${workflow}`)).body.version, 2);
    },
  ],
];
