import { attemptsOf } from '@/pages/runs/attempts';
import { describe, expect, it } from 'vitest';
import { linesOf, matching } from '@/pages/runs/lines';
import { asTree, depthOf, folded, keeping, keyOf, refusalOf, statesOf, type TaskRun, stepFrom } from '@/pages/runs/tasks';
import { scaleOf } from '@/pages/runs/timeline';
import { withTasks, withWords } from '@/pages/runs/with-task';
import { sideBySide } from '@/pages/workflow/side-by-side';

const task = (change: Partial<TaskRun>): TaskRun => ({
  reference: '/do/0/a', iteration: [], name: 'a', type: 'set', status: 'completed', attempt: 1, input: null, output: null, error: null,
  started_at: '2026-11-26T12:00:00Z', ended_at: '2026-11-26T12:00:01Z', logs: [], ...change,
});

const words = (change: object) => ({ reference: '/do/0/ask/agent/turn/0', iteration: [0], sequence: 1, kind: 'text', ...change });

const at = (second: number) => `2026-11-26T12:00:0${second}Z`;

describe('tasks of a run', () => {
  it('of a loop come together: what is wrong or goes on is what is shown', () => {
    const states = statesOf([task({ iteration: [0] }), task({ iteration: [1], status: 'faulted', attempt: 3 }), task({ iteration: [2], status: 'running', ended_at: null })], Date.parse('2026-11-26T12:00:05Z'));
    expect(states['/do/0/a']).toEqual({ status: 'faulted', attempt: 3, times: 3, faulted: 1, ms: 7000 });
  });

  it('that did not change are the same objects', () => {
    const tasks = [task({}), task({ reference: '/do/1/b', status: 'running', ended_at: null })];
    const first = statesOf(tasks, Date.parse(at(5)));
    const next = keeping(first, statesOf(tasks, Date.parse(at(6))));
    expect(next['/do/0/a']).toBe(first['/do/0/a']);
    expect(next['/do/1/b']).toEqual({ status: 'running', attempt: 1, times: 1, faulted: 0, ms: 6000 });
  });

  it('are brought up to date by what the server tells, each iteration by itself', () => {
    const before = [task({ iteration: [0] }), task({ iteration: [1], output: 7 })];
    const after = withTasks(before, [{ reference: '/do/0/a', iteration: [1], status: 'running' }, { reference: '/do/0/a', iteration: [1], status: 'faulted' }]);
    expect(after.map((one) => [keyOf(one), one.status, one.output])).toEqual([['/do/0/a#0', 'completed', null], ['/do/0/a#1', 'faulted', 7]]);
    expect(withTasks(before, [{ reference: '/do/1/b', iteration: [], name: 'b', status: 'running' }, { reference: '/do/1/b', iteration: [], status: 'completed' }])[2]).toMatchObject({ name: 'b', status: 'completed' });
    expect(before.map((one) => one.status)).toEqual(['completed', 'completed']);
  });

  it('stand as deep as the tasks around them', () => {
    const references = new Set(['/do/0/a', '/do/0/a/do/1/b', '/do/0/a/do/1/b/try/0/c']);
    expect([...references].map((reference) => depthOf(task({ reference }), references))).toEqual([0, 1, 2]);
  });

  it('stand behind the task around them, rounds in their order, those of one list by their start', () => {
    const shuffled = [
      task({ reference: '/do/1/after', started_at: at(9) }),
      task({ reference: '/do/0/all/do/0/inner', iteration: [10], started_at: at(1) }),
      task({ reference: '/do/0/all/do/0/inner', iteration: [2], started_at: at(5) }),
      task({ reference: '/do/0/all', started_at: at(0) }),
      task({ reference: '/do/0/all/do/0/inner/do/0/deep', iteration: [2], started_at: at(6) }),
      task({ reference: '/do/0/all/do/1/last', iteration: [2], started_at: at(7) }),
    ];
    expect(asTree(shuffled).map(keyOf)).toEqual(['/do/0/all', '/do/0/all/do/0/inner#2', '/do/0/all/do/0/inner/do/0/deep#2', '/do/0/all/do/1/last#2', '/do/0/all/do/0/inner#10', '/do/1/after']);
    expect(asTree([])).toEqual([]);
  });
});

describe('the timeline', () => {
  it('is even where nothing takes much longer than the rest', () => {
    const scale = scaleOf([{ start: 0, end: 50 }, { start: 30, end: 60 }, { start: 60, end: 100 }], 0, 100);
    expect(scale.folds).toEqual([]);
    expect([0, 25, 100].map(scale.at)).toEqual([0, 0.25, 1]);
  });

  it('folds a long stretch so that the rest can be seen, and never runs backwards', () => {
    const scale = scaleOf([{ start: 0, end: 10 }, { start: 7_200_010, end: 7_200_030 }], 0, 7_200_030);
    expect(scale.folds).toHaveLength(1);
    expect(scale.folds[0]?.ms).toBe(7_200_000);
    expect(scale.at(10)).toBeGreaterThan(0.2);
    const points = [0, 5, 10, 3_600_000, 7_200_010, 7_200_020, 7_200_030].map(scale.at);
    expect(points).toEqual(points.toSorted((a, b) => a - b));
    expect(points.at(-1)).toBeCloseTo(1);
  });
});

it('lines that were replaced stand beside what replaced them', () => {
  const rows = sideBySide({
    old_start: 4, old_count: 3, new_start: 4, new_count: 3,
    lines: [
      { kind: 'context', text: 'a' },
      { kind: 'removed', text: 'b' },
      { kind: 'removed', text: 'c' },
      { kind: 'added', text: 'B' },
      { kind: 'context', text: 'd' },
    ],
  });
  expect(rows.map(([left, right]) => [left?.number, left?.text, right?.number, right?.text])).toEqual([
    [4, 'a', 4, 'a'],
    [5, 'b', 5, 'B'],
    [6, 'c', undefined, undefined],
    [7, 'd', 6, 'd'],
  ]);
});

describe('what a model says', () => {
  it('is put together for each call, and begins anew with it', () => {
    let said = withWords({}, words({ sequence: 0, text: 'The ' }));
    said = withWords(said, words({ text: 'order' }));
    said = withWords(said, words({ iteration: [1], sequence: 0, text: 'Another' }));
    expect(said).toEqual({ '/do/0/ask/agent/turn/0#0': 'The order', '/do/0/ask/agent/turn/0#1': 'Another' });
    said = withWords(said, words({ kind: 'reset' }));
    expect(withWords(said, words({ text: 'Again' }))['/do/0/ask/agent/turn/0#0']).toBe('Again');
  });

  it('shows that its beginning was missed, and nothing of what is no text', () => {
    const said = withWords({}, words({ sequence: 4, text: 'healthy' }));
    expect(withWords(said, words({ sequence: 5, kind: 'arguments', text: '{' }))).toEqual({ '/do/0/ask/agent/turn/0#0': '… healthy' });
  });
});

describe('a long loop in the timeline', () => {
  const loop = task({ reference: '/do/0/each', name: 'each', type: 'for' });
  const round = (at_: number, change: Partial<TaskRun> = {}) => task({ reference: '/do/0/each/do/0/a', iteration: [at_], ...change });
  const rows = asTree([loop, ...Array.from({ length: 30 }, (_none, at_) => round(at_, at_ === 25 ? { status: 'faulted' } : {})), task({ reference: '/do/1/after' })]);

  it('is folded behind its first rows, but for what is wrong or chosen', () => {
    const listed = folded(rows, new Set(), '/do/0/each/do/0/a#22');
    expect(listed).toHaveLength(1 + 20 + 1 + 2 + 1);
    expect(listed[21]).toEqual({ loop: '/do/0/each', name: 'each', hidden: 8 });
    expect(listed.slice(22).map((row) => ('hidden' in row ? '' : keyOf(row)))).toEqual(['/do/0/each/do/0/a#22', '/do/0/each/do/0/a#25', '/do/1/after']);
  });

  it('is shown whole where it is asked for, and a short one always is', () => {
    expect(folded(rows, new Set(['/do/0/each']), null)).toEqual(rows);
    expect(folded(rows.slice(0, 21), new Set(), null)).toEqual(rows.slice(0, 21));
  });

  it('takes what is inside of a folded round with it', () => {
    const inner = asTree([loop, ...Array.from({ length: 22 }, (_none, at_) => [round(at_), task({ reference: '/do/0/each/do/0/a/do/0/b', iteration: [at_, 0] })]).flat()]);
    const listed = folded(inner, new Set(), null);
    expect(listed).toHaveLength(1 + 40 + 1);
    expect(listed.at(-1)).toEqual({ loop: '/do/0/each', name: 'each', hidden: 4 });
  });
});

const record = (of: string, time: string, number: number, error: unknown = null) => {
  const ended = Date.parse(`2026-11-26T12:00:${time}Z`);
  return { task: of, number, function: 'http', outcome: error ? ('failure' as const) : ('success' as const), started_at: new Date(ended - 100).toISOString(), ended_at: new Date(ended).toISOString(), error };
};

it('attempts are the calls of a task, or below the try, in its own time', () => {
  const flaky = { reference: '/do/0/flaky', started_at: '2026-11-26T12:00:01.000Z', ended_at: '2026-11-26T12:00:09.000Z' };
  const found = attemptsOf(
    [
      record('/do/0/flaky/try/0/get', '00.500', 1, 'of the round before'),
      record('/do/0/flaky/try/0/get', '02.000', 1, { title: 'HTTP call failed', detail: 'answered 503' }),
      record('/do/0/flaky/try/0/get', '05.600', 2),
      record('/do/0/flaky/try/0/get', '09.500', 1, 'of the round after'),
    ],
    flaky,
  );
  expect(found.map(({ number, task: name, wait, outcome, error }) => [number, name, wait, outcome, error])).toEqual([
    [1, 'get', 3500, 'failure', 'HTTP call failed: answered 503'],
    [2, 'get', null, 'success', null],
  ]);
});

describe('keys go through the rows', () => {
  const keys = ['a', 'b', 'c'];

  it.each([
    [null, 1, 'a'],
    [null, -1, 'c'],
    ['a', 1, 'b'],
    ['c', 1, 'a'],
    ['a', -1, 'c'],
    ['gone', 1, 'a'],
  ] as const)('from %s by %i to %s', (chosen, step, goal) => expect(stepFrom(keys, chosen, step)).toBe(goal));

  it('to what fits, also where that is where one stands, or nowhere', () => {
    expect(stepFrom(keys, 'a', 1, (key) => key === 'c')).toBe('c');
    expect(stepFrom(keys, 'c', 1, (key) => key === 'c')).toBe('c');
    expect(stepFrom(keys, 'a', 1, () => false)).toBeNull();
    expect(stepFrom([], null, 1)).toBeNull();
  });
});

describe('the log of a run', () => {
  const line = (text: string, second: number | null, level = 'info') => ({ text, level, at: second === null ? null : at(second) });
  const lines = linesOf([
    task({ name: 'a', logs: [line('one', 1), line('behind one', null), line('four', 4, 'error')] }),
    task({ name: 'b', reference: '/do/1/b', started_at: at(2), logs: [line('from its start', null, 'debug'), line('three', 3, 'warning'), line('odd', 5, 'fatal')] }),
  ]);
  const texts = (level: string, text: string) => matching(lines, level, text).map((one) => one.line.text);

  it('has the lines of all tasks by their times; those without one stay behind their own', () => {
    expect(lines.map((one) => `${one.task.name} ${one.line.text}`)).toEqual(['a one', 'a behind one', 'b from its start', 'b three', 'a four', 'b odd']);
    expect(lines.map((one) => one.at)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('is narrowed by level, text and task; an unknown level is never hidden', () => {
    expect(texts('error', '')).toEqual(['four', 'odd']);
    expect(texts('warning', '')).toEqual(['three', 'four', 'odd']);
    expect(texts('info', 'o')).toEqual(['one', 'behind one', 'four', 'odd']);
    expect(texts('', 'b')).toEqual(['behind one', 'from its start', 'three', 'odd']);
  });
});

describe('a destructive step that only planned', () => {
  const plan = [{ action: 'write' }];
  it.each([
    [{ dry_run: true, plan, reason: 'permits it (`destroy_role` of the organization)' }, 'role'],
    [{ dry_run: true, plan, reason: 'acts only with `allow_destructive: true`' }, 'unasked'],
    [{ dry_run: true, plan, reason: 'something new' }, 'other'],
    [{ dry_run: true, plan }, undefined],
    [{ dry_run: true, reason: 'destroy_role' }, undefined],
    [{ plan, reason: 'destroy_role' }, undefined],
    ['destroy_role', undefined],
    [null, undefined],
  ])('%j says why', (output, kind) => {
    expect(refusalOf({ output })?.kind).toBe(kind);
  });
});
