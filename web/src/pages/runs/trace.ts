// What an agent did, out of the records of a run: its turns, the calls in each, what they took. See docs/agents.md, "Steps and records".
import type { TaskRun } from './tasks';

export type Message = { role: string; text: string };
export type Call = { task: TaskRun; kind: 'tool' | 'approval' };
export type Turn = { task: TaskRun; number: number; heard: Message[]; said: string; model: string; input: number; output: number; cost: number | null; stop: string; calls: Call[] };
/** What came with it from earlier runs, and what it left for later ones: numbers of messages, where that is known. */
export type Kept = { recalled: number | null; remembered: number | null };
export type Agent = { reference: string; iteration: string; name: string; depth: number; status: string; started: string | null; ended: string | null; turns: Turn[]; tokens: number; cost: number | null; calls: number; kept: Kept };
export type Budget = { tokens?: number; cost?: number; turns?: number; calls?: number; ms?: number };

const TURN = /^(.*)\/agent\/turn\/(\d+)$/;
const object = (value: unknown): Record<string, unknown> => (value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : {});
const number = (value: unknown): number => (typeof value === 'number' ? value : 0);

/** Text, or the text parts of a message. */
function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return content === null || content === undefined ? '' : JSON.stringify(content);
  return content.map((part) => (typeof part === 'string' ? part : String(object(part)['text'] ?? ''))).join('');
}

/** Messages of a conversation as text, with the names of the tools that they call. */
export function spoken(messages: unknown): (Message & { calls: string[] })[] {
  return (Array.isArray(messages) ? messages.map(object) : []).map((one) => {
    const calls = one['tool_calls'];
    return { role: String(one['role']), text: textOf(one['content']), calls: Array.isArray(calls) ? calls.map((call) => String(object(call)['name'] ?? '')) : [] };
  });
}

function turnOf(task: TaskRun, at: number): Turn {
  const messages = object(task.input)['messages'];
  const reply = object(task.output);
  const usage = object(reply['usage']);
  return {
    task,
    number: at,
    // What a tool answered stands at its call.
    heard: (Array.isArray(messages) ? messages.map(object) : []).filter((one) => one['role'] !== 'tool' && one['role'] !== 'assistant').map((one) => ({ role: String(one['role']), text: textOf(one['content']) })),
    said: textOf(reply['content']),
    model: typeof reply['model'] === 'string' ? reply['model'] : '',
    input: number(usage['input_tokens']),
    output: number(usage['output_tokens']),
    cost: typeof reply['cost'] === 'number' ? reply['cost'] : null,
    stop: typeof reply['finish_reason'] === 'string' ? reply['finish_reason'] : '',
    calls: [],
  };
}

/** The agents of a run in the order in which they began; those below another come after it. */
export function agentsOf(tasks: readonly TaskRun[]): Agent[] {
  const agents = new Map<string, Agent>();
  const turns = new Map<string, Turn>();
  for (const task of tasks) {
    const match = task.type === 'model' ? TURN.exec(task.reference) : null;
    if (!match) continue;
    const [, reference = '', at = '0'] = match;
    const iteration = task.iteration.slice(0, -1).join('.');
    const key = `${reference}#${iteration}`;
    const owner = tasks.find((one) => one.reference === reference && one.iteration.join('.') === iteration);
    let agent = agents.get(key);
    if (!agent) {
      agent = { reference, iteration, name: owner?.name ?? reference.split('/').at(-1) ?? '', depth: reference.split('/agent/turn/').length - 1, status: owner?.status ?? task.status, started: owner?.started_at ?? null, ended: owner?.ended_at ?? null, turns: [], tokens: 0, cost: 0, calls: 0, kept: { recalled: null, remembered: null } };
      agents.set(key, agent);
    }
    const turn = turnOf(task, Number(at) + 1);
    turns.set(`${task.reference}#${task.iteration.join('.')}`, turn);
    agent.turns.push(turn);
    agent.tokens += turn.input + turn.output;
    // One unknown price makes the sum unknown.
    agent.cost = agent.cost === null || (turn.cost === null && turn.task.status === 'completed') ? null : agent.cost + (turn.cost ?? 0);
  }
  for (const task of tasks) {
    if (task.type !== 'tool' && task.type !== 'approval') continue;
    const match = /^(.*\/agent\/turn\/\d+)\/(tool|approval)\/\d+$/.exec(task.reference);
    const turn = match && turns.get(`${match[1]}#${task.iteration.slice(0, -1).join('.')}`);
    if (!turn) continue;
    turn.calls.push({ task, kind: match[2] === 'approval' ? 'approval' : 'tool' });
  }
  for (const task of tasks) {
    const match = /^(.*)\/agent\/turn\/\d+\/(recall|remember)$/.exec(task.reference);
    const agent = match && agents.get(`${match[1]}#${task.iteration.slice(0, -2).join('.')}`);
    if (!agent || task.status !== 'completed') continue;
    const messages = object(task.output)['messages'];
    const count = Array.isArray(messages) ? messages.length : number(messages);
    if (match[2] === 'recall') agent.kept.recalled = count;
    else agent.kept.remembered = count;
  }
  for (const agent of agents.values()) agent.calls = agent.turns.reduce((sum, turn) => sum + turn.calls.filter((call) => call.kind === 'tool').length, 0);
  return [...agents.values()];
}

/** The question that a call of an agent waits for: it names the place in the agent where all of its questions are asked, and what is called. */
export function questionOf<Question extends { task: string; status: string; data: unknown }>(task: TaskRun, questions: readonly Question[]): Question | undefined {
  const place = task.reference.replace(/\/turn\/\d+\/approval\/\d+$/, '/approve');
  const open = questions.filter((one) => one.status === 'open' && one.task === place);
  const about = JSON.stringify(object(task.input)['data']);
  return open.find((one) => JSON.stringify(one.data) === about) ?? (open.length === 1 ? open[0] : undefined);
}

/** Of a duration such as `PT1M30S` or `{minutes: 1, seconds: 30}`; 0 where it is none. */
function milliseconds(duration: unknown): number {
  const match = typeof duration === 'string' ? /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/.exec(duration) : null;
  const parts = match ? match.slice(1).map((part) => Number(part ?? 0)) : ['days', 'hours', 'minutes', 'seconds'].map((unit) => number(object(duration)[unit]));
  return parts.reduce((sum, part, at) => sum + part * ([86_400_000, 3_600_000, 60_000, 1000][at] ?? 0), match ? 0 : number(object(duration)['milliseconds']));
}

/** The limits that the definition sets, where they are plain numbers. */
export function budgetOf(definition: unknown, reference: string): Budget {
  let at: unknown = definition;
  for (const part of reference.split('/').slice(1)) at = Array.isArray(at) ? at[Number(part)] : object(at)[part.replaceAll('~1', '/').replaceAll('~0', '~')];
  const given = object(object(at)['with']);
  const { tokens, cost, time } = object(given['budget']);
  const limits = { tokens, cost, turns: given['max_turns'], calls: given['max_tool_calls'], ms: milliseconds(time) };
  return Object.fromEntries(Object.entries(limits).filter(([, limit]) => typeof limit === 'number' && limit > 0));
}
