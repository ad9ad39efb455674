// What a model says while it says it, in the browser: a provider of our own that stops in the middle of its answer until the page has shown it.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { call } from './work.mjs';

const MODEL = { id: 'a', object: 'chat.completion.chunk', created: 1, model: 'slow' };
const part = (content, finish = null) => `data: ${JSON.stringify({ ...MODEL, choices: [{ index: 0, delta: { content }, finish_reason: finish }] })}\n\n`;
const END = `data: ${JSON.stringify({ ...MODEL, choices: [], usage: { prompt_tokens: 5, completion_tokens: 4, total_tokens: 9 } })}\n\ndata: [DONE]\n\n`;
const MOST = 20_000;

/** Chat Completions as a stream; `asked()` is the first answer that waits to be given. */
function startModel() {
  const open = [];
  let arrived;
  const first = new Promise((resolve) => {
    arrived = resolve;
  });
  const server = createServer((request, reply) => {
    request.resume();
    request.on('end', () => {
      reply.writeHead(200, { 'Content-Type': 'text/event-stream' });
      open.push(reply);
      arrived(reply);
    });
  });
  const asked = () => {
    let timer;
    const late = new Promise((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error('the model was never asked')), MOST);
    });
    return Promise.race([first, late]).finally(() => clearTimeout(timer));
  };
  const stop = () => {
    for (const reply of open) reply.destroy();
    server.close();
  };
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve({ base: `http://127.0.0.1:${server.address().port}/v1`, asked, stop }));
  });
}

const WORKFLOW = `document: {dsl: '1.0.3', namespace: test, name: tides, version: '1.0.0'}
do:
  - hear: {listen: {to: {one: {with: {type: org.example.tide}}}}}
  - ask:
      call: agent
      with: {model: openai-compatible/slow, prompt: How is the tide?}
`;

export const streamingTests = [
  [
    'what a model says is there word by word, before it has said all of it',
    async ({ page }) => {
      const model = await startModel();
      let provider;
      try {
        // What the installation is configured with serves its own organization only.
        provider = await call(page, 'POST', '/api/integrations', { name: 'slow-model', connector: 'openai', config: { base_url: model.base, api_key: 'none' } });
        assert.equal(provider.status, 201, JSON.stringify(provider.body));
        const made = await call(page, 'POST', '/api/workflows', { definition: WORKFLOW });
        assert.equal(made.status, 201, JSON.stringify(made.body));
        const run = (await call(page, 'POST', `/api/workflows/${made.body.id}/execute`, {})).body.id;
        await page.goto(`/runs/${run}?view=agent`);
        await page.getByRole('main').getByText('Waits: event of type org.example.tide', { exact: true }).waitFor();
        const event = { specversion: '1.0', id: 'tide-1', source: '/tests', type: 'org.example.tide', data: {} };
        assert.equal((await call(page, 'POST', '/api/events', event)).status, 202);
        const reply = await model.asked();
        const agent = page.getByRole('region', { name: 'Agent ask' });
        reply.write(part('The tide '));
        await agent.getByText('The tide', { exact: true }).waitFor();
        reply.write(part('comes '));
        await agent.getByText('The tide comes', { exact: true }).waitFor();
        assert.ok(!['completed', 'faulted'].includes((await call(page, 'GET', `/api/runs/${run}`)).body.status));
        reply.write(part('in.'));
        reply.write(part('', 'stop'));
        reply.end(END);
        await page.getByRole('main').getByText('Completed').first().waitFor();
        await agent.getByText('The tide comes in.', { exact: true }).waitFor();
      } finally {
        model.stop();
        if (provider?.status === 201) await call(page, 'DELETE', `/api/integrations/${provider.body.id}`);
      }
    },
  ],
];
