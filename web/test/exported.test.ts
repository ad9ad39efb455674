import { expect, it } from 'vitest';
import { contextBefore } from '@/editor/exported';
import type { TaskRun } from '@/pages/runs/tasks';

const task = (reference: string, second: number, output: unknown, more: Partial<TaskRun> = {}): TaskRun => ({
  reference,
  iteration: [],
  name: reference.split('/').at(-1) ?? '',
  type: 'set',
  status: 'completed',
  attempt: 1,
  input: {},
  output,
  error: null,
  started_at: `2026-01-01T00:00:0${second}.000Z`,
  ended_at: `2026-01-01T00:00:0${second}.500Z`,
  logs: [],
  ...more,
});
const definition = (...exports: (string | null)[]) => `do:\n${exports.map((as, at) => `  - t${at}:\n      set: {x: 1}\n${as === null ? '' : `      export: {as: ${as}}\n`}`).join('')}`;
const before = (exports: (string | null)[], outputs: unknown[]) => {
  const tasks = outputs.map((output, at) => task(`/do/${at}/t${at}`, at, output));
  const last = task(`/do/${outputs.length}/last`, outputs.length, null);
  return contextBefore(definition(...exports), [...tasks, last], last);
};

it('the context is what the tasks before it have exported, in their order', () => {
  for (const [exports, outputs, expected] of [
    [[null, null], [{ a: 1 }, 2], {}],
    [["'${ . }'"], [{ a: 1 }], { a: 1 }],
    [["'${ .a.b }'"], [{ a: { b: {} } }], {}],
    [["'${ $context + {total: .sum, seen: true} }'", "'${ $context + { name } }'"], [{ sum: 5 }, { name: 'x', other: 1 }], { total: 5, seen: true, name: 'x' }],
    [["{first: '${ .a }', plain: [1, '${ \"b\" }']}"], [{ a: null }], { first: null, plain: [1, 'b'] }],
    [["'${ {list: (.a + .b)} }'"], [{ a: [1], b: [2] }], { list: [1, 2] }],
    [["'${ . }'", "'${ {n: ($context.n + .n)} }'"], [{ n: 1 }, { n: 2 }], { n: 3 }],
  ] as [(string | null)[], unknown[], unknown][]) {
    expect(before(exports, outputs)).toEqual(expected);
  }
});

it('what goes beyond that is not guessed', () => {
  for (const as of ["'${ .items | length }'", "'${ [.a] }'", "'${ .a // 1 }'", "'${ .a[0] }'", "'${ $input.x }'", "'${ \"n \\(.a)\" }'", "'${ .a + .b }'", "'${ .a - 1 }'", "'${'", "'${ . } and more ${ . }'", "'${ {a: 1 }'", "'${ .a }'", "'at ${ .a }'"]) {
    expect(before([as], [{ a: 1, b: 'x', items: [] }])).toBeUndefined();
  }
});

it('tasks that ended later, failed, or belong to another branch that still ran say nothing', () => {
  const asked = task('/do/1/b', 3, null);
  const tasks = [task('/do/0/a', 1, { x: 1 }), task('/do/0/a', 5, { x: 2 }), task('/do/0/a', 2, { x: 3 }, { status: 'faulted' }), asked];
  expect(contextBefore("do:\n  - a: {set: {x: 1}, export: {as: '${ . }'}}\n  - b: {set: {y: 1}}\n", tasks, asked)).toEqual({ x: 1 });
});
