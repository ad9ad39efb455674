// A server that has been used: an administrator, workflows of every kind, runs that ended well and badly, something that waits for a decision.
// For what looks at all pages: pictures, measurements.
import { ADMIN } from './access.mjs';
import { startBrowser } from './browser.mjs';
import { startServer } from './server.mjs';
import { call } from './work.mjs';

const head = (name, rest = '') => `document: {dsl: '1.0.3', namespace: shop, name: ${name}, version: '1.0.0'${rest}}\n`;

const ORDERS = `# Takes an order in, reserves what it needs and tells the customer.
document:
  dsl: '1.0.3'
  namespace: shop
  name: fulfil-order
  version: '1.0.0'
  summary: Takes an order in, reserves what it needs and tells the customer.
input:
  schema:
    document:
      type: object
      properties:
        order: {type: integer, description: Number of the order}
        items: {type: array, items: {type: string}}
do:
  - check: # nothing happens to an empty order
      set:
        order: \${ .order }
        items: \${ .items // ["lamp", "chair"] }
  - prepare:
      fork:
        branches:
          - reserve:
              for: {each: item, in: '\${ .items }'}
              do:
                - take: {set: {taken: '\${ $item }'}}
                - note: {wait: {milliseconds: 40}}
          - price:
              try:
                - quote: {set: {total: 129}}
              catch:
                retry: {limit: {attempt: {count: 2}}}
                do:
                  - fallback: {set: {total: 0}}
          - label: {wait: {milliseconds: 90}}
  - decide:
      switch:
        - large: {when: '\${ length > 5 }', then: review}
        - usual: {then: ship}
  - review: {set: {reviewed: true}}
  - ship: {set: {shipped: true}}
`;
const PAYS = `${head('pay-invoice', ', summary: Pays what a person has approved.')}do:
  - decide:
      call: approval
      with:
        title: 'Pay \${ .amount } EUR to ACME Industrial Supplies?'
        message: The invoice is larger than usual. The contract allows up to 800 EUR a month.
        data: {invoice: 4711, amount: '\${ .amount }', due: '2026-12-01'}
        deadline: {days: 3}
        form:
          type: object
          properties: {account: {type: string, title: Account, minLength: 4}}
          required: [account]
  - paid: {set: {approved: '\${ .approved }'}}
`;
const FAILS = `${head('sync-catalogue', ', summary: Brings the catalogue of the supplier in.')}do:
  - read: {set: {page: 1}}
  - convert:
      do:
        - rows: {set: {rows: '\${ [range(3)] }'}}
        - parse: {raise: {error: {type: 'https://example.org/errors/format', status: 422, title: The file has no header row, detail: 'Line 1 of catalogue.csv holds data where names of columns are expected.'}}}
  - store: {set: {done: true}}
`;
const NIGHTLY = `${head('nightly-report', ", summary: Writes the report of the day., metadata: {webhook: {wait: true}, timezone: Europe/Berlin}")}schedule: {cron: '0 6 * * *'}
do:
  - collect: {set: {heard: '\${ .body.hello }'}}
  - write: {wait: {milliseconds: 20}}
`;

const agentic = (base) => `${head('triage-alert', ', summary: Asks an agent whether a service is well.')}do:
  - ask:
      call: agent
      with:
        model: scripted/helper
        instructions: Be brief.
        prompt: Is the service well?
        budget: {tokens: 60000}
        tools:
          - {function: http, name: look, with: {method: get, endpoint: '${base}/health'}}
`;

/** The server, a browser and a person who is signed in, with all of that; `stop()` ends them. */
export async function startUsed(environment = {}) {
  const server = await startServer(environment);
  const browser = await startBrowser(server.base);
  const stop = async () => {
    await browser.stop();
    await server.stop();
  };
  try {
    return { ...(await fill(server, browser)), server, browser, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function fill(server, browser) {
  const page = await browser.person();
  await page.goto(server.setupLink());
  await page.getByLabel('Your name').fill(ADMIN.name);
  await page.getByLabel('E-mail address').fill(ADMIN.email);
  await page.getByLabel('Password').fill(ADMIN.password);
  await page.getByRole('button', { name: 'Create the administrator' }).click();
  await page.getByRole('heading', { name: 'Home', level: 1 }).waitFor();
  const make = async (definition) => {
    const made = await call(page, 'POST', '/api/workflows', { definition });
    if (made.status !== 201) throw new Error(JSON.stringify(made.body));
    return made.body.id;
  };
  const execute = async (workflow, input, wait = true) => (await call(page, 'POST', `/api/workflows/${workflow}/execute`, { input, wait })).body.id;
  const workflow = await make(ORDERS);
  const [pays, fails, nightly, triage] = [await make(PAYS), await make(FAILS), await make(NIGHTLY), await make(agentic(server.base))];
  let run = '';
  for (let at = 0; at < 24; at += 1) run = await execute(workflow, { order: 871 + at * 3 });
  let failed = '';
  for (let at = 0; at < 3; at += 1) failed = await execute(fails, {});
  for (let at = 0; at < 4; at += 1) await execute(nightly, { body: { hello: 'world' } });
  const agentRun = await execute(triage, {});
  const asked = await execute(pays, { amount: 900 }, false);
  await execute(pays, { amount: 1250 }, false);
  await page.waitForFunction(async (id) => (await (await fetch(`/api/approvals?run_id=${id}`)).json()).items.length === 1, asked);
  const approval = (await call(page, 'GET', `/api/approvals?run_id=${asked}`)).body.items[0].id;
  await call(page, 'PUT', `/api/workflows/${workflow}`, { definition: ORDERS.replace('total: 129', 'total: 149').replace('  - ship: {set: {shipped: true}}', '  - ship: {set: {shipped: true}}\n  - thank: {set: {thanked: true}}'), change_summary: 'Thank the customer, new price' });
  await call(page, 'POST', '/api/integrations', { name: 'warehouse', connector: 'http', config: { base_url: server.base, test_path: '/health' } });
  return { page, workflow, pays, fails, nightly, run, task: '/do/1/prepare/fork/branches/1/price', failed, mended: failed, agentRun, asked, approval };
}
