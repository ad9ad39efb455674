// What a run asks people: in the list, in the run, with a form; live, with a badge.
import assert from 'node:assert/strict';
import { call } from './work.mjs';

const ASKS = `document: {dsl: '1.0.3', namespace: test, name: pay-invoice, version: '1.0.0'}
do:
  - decide:
      call: approval
      with:
        title: 'Pay \${ .amount } EUR to ACME?'
        message: The invoice is larger than usual.
        data: {invoice: 4711, amount: '\${ .amount }'}
        deadline: {days: 3}
        form:
          type: object
          properties: {account: {type: string, title: Account, minLength: 4}}
          required: [account]
  - paid: {set: {approved: '\${ .approved }', account: '\${ .data.account // null }'}}
`;

/** Until the run has come to what it asks. */
const asks = (page, run) => page.waitForFunction(async (id) => (await (await fetch(`/api/approvals?run_id=${id}`)).json()).items.length === 1, run);

export const approvalTests = [
  [
    'what a run asks appears by itself, is approved with its form, and the run goes on',
    async (world) => {
      const { page } = world;
      const workflow = (await call(page, 'POST', '/api/workflows', { definition: ASKS })).body.id;
      await page.goto('/approvals');
      await page.getByText('Nothing waits for a decision').waitFor();
      const run = (await call(page, 'POST', `/api/workflows/${workflow}/execute`, { input: { amount: 900 } })).body.id;
      await page.getByRole('link', { name: 'Pay 900 EUR to ACME?' }).click();
      await page.getByRole('navigation', { name: 'Main' }).getByText('1 waits for you').waitFor();
      const article = page.getByRole('article');
      await article.getByText('The invoice is larger than usual.').waitFor();
      await article.getByText('4711').waitFor();
      await article.getByRole('button', { name: 'Approve' }).click();
      await article.getByText('This is needed.').waitFor();
      await article.getByLabel(/^Account/).fill('DE02');
      await article.getByLabel('Comment (optional)').fill('checked');
      await article.getByRole('button', { name: 'Approve' }).click();
      await article.getByText('Approved').waitFor();
      await page.getByRole('navigation', { name: 'Main' }).getByText(/waits? for you/).waitFor({ state: 'detached' });
      await page.goto(`/runs/${run}?view=data`);
      await page.getByText('"DE02"').waitFor();
    },
  ],
  [
    'a run shows what it asks; it is rejected with a comment',
    async (world) => {
      const { page } = world;
      const { body: list } = await call(page, 'GET', '/api/workflows?q=pay-invoice');
      const run = (await call(page, 'POST', `/api/workflows/${list.items[0].id}/execute`, { input: { amount: 7 } })).body.id;
      await asks(page, run);
      await page.goto(`/runs/${run}`);
      await page.getByText('Pay 7 EUR to ACME?', { exact: true }).waitFor();
      await page.getByRole('link', { name: 'Look and decide' }).click();
      await page.getByLabel('Comment (optional)').fill('too small');
      await page.getByRole('button', { name: 'Reject' }).click();
      // The comment is no sign of it: the text field holds the same words.
      await page.getByRole('article').getByText('Rejected', { exact: true }).waitFor();
      await page.getByRole('article').getByRole('definition').getByText('too small').waitFor();
      world.approval = new URL(page.url()).pathname.split('/').at(-1);
      const { body } = await call(page, 'GET', `/api/approvals/${world.approval}`);
      assert.equal(body.status, 'rejected');
      await page.getByLabel('Show').selectOption('rejected');
      await page.getByRole('link', { name: 'Pay 7 EUR to ACME?' }).waitFor();
    },
  ],
];
