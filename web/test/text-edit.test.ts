import { Lexer } from 'yaml';
import { describe, expect, it } from 'vitest';
import { apply, deleteItem, type Edit, insertItem, moveItem, nameOfTask, parse, rangeOfTask, renameKey, renameTask, taskAt } from '@/editor/text-edit';
import { isSamePlace, movedTo, pathOf, placeOf } from '@/editor/reference';

const NESTED = `# leading comment
document:
  dsl: '1.0.3'   # trailing
  name: "quoted"
do:
  # about a
  - a:
      set: { x: 1 }

  - b:
        for:
            each: i     # odd indentation
            in: \${ .list }
        do:
        # at the column of its parent
        - inner:
            set:
              text: |
                # not a comment
                line
        - other: { wait: { seconds: 1 } }
  # about c

  - c: { set: { y: 2 } } # behind c
`;
const LIST = `name: list
tasks:
- id: one
  type: noop
  depends_on: []
# second
- id: two
  type: noop
  depends_on:
  - one
  params: {text: "a: b"}
- {id: three, type: noop}`;

type Model = Record<string, unknown>;
const model = (text: string) => parse(text).toJS() as Model;
const listAt = (value: Model, path: readonly (string | number)[]) => path.reduce<unknown>((at, key) => (at as Model)[key], value) as unknown[];
const comments = (text: string) => [...new Lexer().lex(text)].filter((token) => token.startsWith('#')).sort();

/** The same numbers for the same seed. */
function random(seed: number) {
  let state = seed;
  return (below: number) => {
    state = (state * 1664525 + 1013904223) % 4294967296;
    return Math.floor((state / 4294967296) * below);
  };
}

function check(before: string, edit: Edit, expected: Model, path: readonly (string | number)[]) {
  const after = apply(before, edit);
  const document = parse(after);
  expect(document.errors, `${after}\nat ${path.join('/')}`).toEqual([]);
  expect(document.toJS()).toEqual(expected);
  const removed = before.slice(edit.from, edit.to);
  const kept = comments(after);
  for (const comment of comments(before)) if (!removed.includes(comment)) expect(kept).toContain(comment);
  return after;
}

describe.each([
  ['nested lists', NESTED, [['do'], ['do', 1, 'b', 'do']] as (string | number)[][]],
  ['a task list', LIST, [['tasks']] as (string | number)[][]],
])('edits of %s', (_name, start, places) => {
  it.each([1, 2, 3, 4, 5])('keep meaning, comments and order through 200 random ones (seed %i)', (seed) => {
    const below = random(seed);
    let text = start;
    let made = 0;
    for (let step = 0; step < 2000 && made < 200; step += 1) {
      const path = places[below(places.length)] as (string | number)[];
      const want = model(text);
      let list: unknown[];
      try {
        list = listAt(want, path);
      } catch {
        continue;
      }
      if (!Array.isArray(list)) continue;
      const kind = below(3);
      const [from, to] = [below(list.length), below(list.length)];
      let edit: Edit | null;
      if (kind === 0 && list.length < 12) {
        const value = { [`n${step}`]: { set: { text: 'x: y\n# z', list: [1, { deep: [] }], at: step } } };
        edit = insertItem(text, path, from, value);
        list.splice(from, 0, value);
      } else if (kind === 1) {
        // The nested list is found by its place, so its parent stays where it is.
        if (path.length === 1 && places.length > 1) continue;
        edit = moveItem(text, path, from, to);
        list.splice(to, 0, list.splice(from, 1)[0]);
      } else {
        if (path.length === 1 && places.length > 1) continue;
        edit = deleteItem(text, path, from);
        list.splice(from, 1);
      }
      if (!edit) continue;
      if (kind === 0 && path.length === 1 && places.length > 1 && from <= 1) continue;
      text = check(text, edit, want, path);
      made += 1;
    }
    expect(made).toBe(200);
  });
});

it('a new task stands in the indentation of its neighbours', () => {
  const edit = insertItem(NESTED, ['do', 1, 'b', 'do'], 9, { last: { set: { z: 3 } } });
  expect(apply(NESTED, edit as Edit)).toContain('        - other: { wait: { seconds: 1 } }\n        - last:\n            set:\n              z: 3\n');
});

it('the last item of a list and lists in flow style are left alone', () => {
  expect(deleteItem('do:\n  - a: { set: {} }\n', ['do'], 0)).toBeNull();
  expect(insertItem('do: [{ a: { set: {} } }]\n', ['do'], 0, { b: 1 })).toBeNull();
  expect(moveItem(NESTED, ['do'], 0, 7)).toBeNull();
});

it('a key is renamed and nothing else', () => {
  expect(apply(NESTED, renameKey(NESTED, ['do', 0], 'a', 'first') as Edit)).toBe(NESTED.replace('- a:', '- first:'));
});

it('references are paths, and tasks are found at places in the text and back', () => {
  expect(pathOf('/do/1/b/do/0/inner')).toEqual(['do', 1, 'b', 'do', 0, 'inner']);
  expect(placeOf('/do/1/b/do/0/inner')).toEqual({ list: ['do', 1, 'b', 'do'], index: 0 });
  expect(placeOf('/tasks/2')).toEqual({ list: ['tasks'], index: 2 });
  const all = ['/do/0/a', '/do/1/b', '/do/1/b/do/0/inner', '/do/1/b/do/1/other', '/do/2/c'];
  for (const reference of all) {
    const [from] = rangeOfTask(NESTED, reference) as [number, number];
    expect(taskAt(NESTED, from + 1, all)).toBe(reference);
  }
  expect(taskAt(NESTED, 0, all)).toBeNull();
});

const all = (text: string, edits: readonly Edit[] | null) => (edits ?? []).toReversed().reduce((now, edit) => apply(now, edit), text);

describe('renaming a task', () => {
  it('takes along what leads to it in its own list, and nothing else', () => {
    const text = `do:
  - check: # the first
      switch:
        - good: {when: .ok, then: pay}
        - bad: {then: end}
  - pay:
      try: [{pay: {set: {pay: pay}}}]
      catch: {then: "pay"}
  - inner:
      do: [{a: {set: {x: 1}, then: pay}}, {pay: {set: {y: 2}}}]
      then: pay
`;
    expect(all(text, renameTask(text, ['do'], 1, 'settle'))).toBe(`do:
  - check: # the first
      switch:
        - good: {when: .ok, then: settle}
        - bad: {then: end}
  - settle:
      try: [{pay: {set: {pay: pay}}}]
      catch: {then: settle}
  - inner:
      do: [{a: {set: {x: 1}, then: pay}}, {pay: {set: {y: 2}}}]
      then: settle
`);
  });

  it('of a list of tasks changes its id and who depends on it', () => {
    expect(all(LIST, renameTask(LIST, ['tasks'], 0, 'the first'))).toBe(LIST.replace('id: one', 'id: "the first"').replace('  - one', '  - "the first"'));
  });

  it('is not done where the name is taken, or nothing is there', () => {
    expect(renameTask(LIST, ['tasks'], 0, 'two')).toBeNull();
    expect(renameTask(LIST, ['tasks'], 9, 'x')).toBeNull();
    expect(renameTask(NESTED, ['do'], 0, 'b')).toBeNull();
  });
});

describe('a task that was moved', () => {
  it('is told by its place and its name in the text', () => {
    expect(nameOfTask(NESTED, ['do'], 2)).toBe('c');
    expect(nameOfTask(NESTED, ['do', 1, 'b', 'do'], 0)).toBe('inner');
    expect(nameOfTask(LIST, ['tasks'], 0)).toBe('one');
    expect(nameOfTask(NESTED, ['do'], 9)).toBeNull();
    const moved = moveItem(NESTED, ['do'], 2, 1) as Edit;
    expect(nameOfTask(apply(NESTED, moved), ['do'], 1)).toBe('c');
  });

  it('is found again by its place', () => {
    expect(movedTo('/do/1/pay/try/0/ask', 2)).toBe('/do/1/pay/try/2/ask');
    expect(isSamePlace('/do/1/a', '/do/1/b')).toBe(true);
    expect(isSamePlace('/do/1/a', '/do/2/a')).toBe(false);
    expect(isSamePlace('/do/1/a/do/0/x', '/do/1/b/do/0/x')).toBe(false);
  });
});
