import { expect, it } from 'vitest';
import type { TaskRun } from '@/pages/runs/tasks';
import { agentsOf, budgetOf, questionOf, spoken } from '@/pages/runs/trace';

const task = (reference: string, type: string, iteration: number[], more: Partial<TaskRun> = {}): TaskRun => ({
  reference,
  iteration,
  name: reference.split('/').at(-1) ?? '',
  type,
  status: 'completed',
  attempt: 1,
  input: {},
  output: {},
  error: null,
  started_at: null,
  ended_at: null,
  logs: [],
  ...more,
});
const reply = (content: string | null, cost: number | null) => ({ content, model: 'm-1', finish_reason: 'stop', cost, usage: { input_tokens: 100, output_tokens: 10 } });

it('an agent is its turns with their calls, and those below it are its own', () => {
  const agents = agentsOf([
    task('/do/0/ask', 'call', []),
    task('/do/0/ask/agent/turn/0', 'model', [0], { input: { messages: [{ role: 'system', content: 'Be brief.' }, { role: 'user', content: [{ type: 'text', text: 'How much?' }] }] }, output: reply(null, 0.25) }),
    task('/do/0/ask/agent/turn/0/approval/0', 'approval', [0, 0]),
    task('/do/0/ask/agent/turn/0/tool/0', 'tool', [0, 0], { name: 'add' }),
    task('/do/0/ask/agent/turn/0/tool/0/agent/turn/0', 'model', [0, 0, 0], { output: reply('inner', null) }),
    task('/do/0/ask/agent/turn/1', 'model', [1], { input: { messages: [{ role: 'tool', content: '3' }] }, output: reply('Three.', 0.5) }),
  ]);
  expect(agents.map(({ name, depth, tokens, cost, calls }) => ({ name, depth, tokens, cost, calls }))).toEqual([
    { name: 'ask', depth: 0, tokens: 220, cost: 0.75, calls: 1 },
    { name: 'add', depth: 1, tokens: 110, cost: null, calls: 0 },
  ]);
  const [first, second] = agents[0]?.turns ?? [];
  expect(first?.heard).toEqual([
    { role: 'system', text: 'Be brief.' },
    { role: 'user', text: 'How much?' },
  ]);
  expect(first?.calls.map(({ kind }) => kind)).toEqual(['approval', 'tool']);
  expect(second).toMatchObject({ heard: [], said: 'Three.', input: 100, output: 10, calls: [] });
});

it('an agent says what it knew before and what it left, and messages are read with the calls in them', () => {
  const [agent] = agentsOf([
    task('/do/0/ask/agent/turn/0/recall', 'memory-read', [2, 0, 0], { output: { found: true, messages: [{ role: 'user', content: 'Hello' }] } }),
    task('/do/0/ask/agent/turn/0', 'model', [2, 0], { output: reply('Hello', null) }),
    task('/do/0/ask/agent/turn/1/remember', 'memory-write', [2, 1, 0], { output: { messages: 3 } }),
  ]);
  expect(agent?.kept).toEqual({ recalled: 1, remembered: 3 });
  expect(spoken([{ role: 'assistant', content: null, tool_calls: [{ id: 'a', name: 'look', arguments: {} }] }, 7])).toEqual([
    { role: 'assistant', text: '', calls: ['look'] },
    { role: 'undefined', text: '', calls: [] },
  ]);
  expect(spoken(undefined)).toEqual([]);
});

it('rounds of a loop are agents of their own', () => {
  const agents = agentsOf([task('/do/0/x/do/0/ask/agent/turn/0', 'model', [0, 0]), task('/do/0/x/do/0/ask/agent/turn/0', 'model', [1, 0])]);
  expect(agents.map((agent) => agent.iteration)).toEqual(['0', '1']);
});

it('a budget is read out of the definition where it is plain numbers', () => {
  const definition = { do: [{ ask: { call: 'agent', with: { budget: { tokens: 6000, cost: '${ .max }', time: 'PT5M' }, max_turns: 5 } } }] };
  expect(budgetOf(definition, '/do/0/ask')).toEqual({ tokens: 6000, turns: 5, ms: 300_000 });
  expect(budgetOf(definition, '/do/7/other')).toEqual({});
  expect(budgetOf({ do: [{ ask: { with: { budget: { time: { minutes: 1, seconds: 30 } } } } }] }, '/do/0/ask')).toEqual({ ms: 90_000 });
  expect(budgetOf(null, '/do/0/ask')).toEqual({});
});

const one = (amount: number, more: object = {}) => ({ task: '/do/0/ask/agent/approve', status: 'open', data: { tool: 'pay', arguments: { amount } }, ...more });

it('a question of an agent is found by what is called, or where there is only one', () => {
  const call = task('/do/0/ask/agent/turn/2/approval/1', 'approval', [2, 1], { input: { title: 'Call of pay', data: { tool: 'pay', arguments: { amount: 2 } } } });
  expect(questionOf(call, [one(1), one(2)])).toEqual(one(2));
  expect(questionOf(call, [one(1)])).toEqual(one(1));
  expect(questionOf(call, [one(1), one(3), one(2, { status: 'approved' })])).toBeUndefined();
  expect(questionOf(call, [one(2, { task: '/do/1/other/agent/approve' })])).toBeUndefined();
});
