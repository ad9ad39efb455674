import { describe, expect, it } from 'vitest';
import { Absent, MEMBERS, type Part, rowsOf, untouched, weightOf } from '@/ui/json-rows';

const paths = (value: unknown, toggled: string[] = []) => rowsOf(value, { toggled: new Set(toggled), shown: new Map() }).map((row) => row.path);

describe('lines of a value', () => {
  it('are those of two levels, and what is below them where one opens it', () => {
    const value = { a: { b: { c: 1 } }, 'x/y': [], z: null };
    expect(paths(value)).toEqual(['', '/a', '/a/b', '/x~1y', '/z']);
    expect(paths(value, ['/a/b'])).toEqual(['', '/a', '/a/b', '/a/b/c', '/x~1y', '/z']);
    expect(paths(value, ['/a'])).toEqual(['', '/a', '/x~1y', '/z']);
    expect(paths(value, [''])).toEqual(['']);
    expect(paths('text')).toEqual(['']);
    expect(paths(undefined)).toEqual(['']);
  });

  it('of much are few: what has many members begins closed, and shows them by and by', () => {
    const list = Array.from({ length: 250_000 }, (_, at) => ({ id: at }));
    const value = { list };
    expect(paths(value)).toEqual(['', '/list']);
    const open = rowsOf(value, { toggled: new Set(['/list']), shown: new Map() });
    expect(open.length).toBe(2 + MEMBERS + 1);
    expect(open.at(-1)).toMatchObject({ name: '/list', more: 250_000 - MEMBERS });
    expect(rowsOf(value, { toggled: new Set(['/list']), shown: new Map([['/list', 3 * MEMBERS]]) }).length).toBe(2 + 3 * MEMBERS + 1);
  });

  it('have paths of their own, whatever the names', () => {
    const rows = paths({ 'a/b': { c: 1 }, a: { b: 1, '': { '': 2 } }, '~1': 1 }, ['/a/']);
    expect(new Set(rows).size).toBe(rows.length);
  });

  it('of the outermost list are there however many it has', () => {
    expect(rowsOf(Array.from({ length: 5000 }, () => 1), untouched).length).toBe(1 + MEMBERS + 1);
  });
});

const parts = (...entries: [string, Part][]) => new Map(entries);
const members = (count: number): [string, unknown][] => Array.from({ length: count }, (_none, at) => [String(at), at]);

describe('lines of a value that is not here', () => {
  const root = new Absent('object', 3, 9000);
  const list = new Absent('array', 5000, 8000);

  it('are a line to ask for it, then those that have come', () => {
    expect(rowsOf(root, untouched)).toMatchObject([{ path: '', size: 3, open: true }, { name: '', more: 3, absent: true }]);
    const come = rowsOf(root, untouched, parts(['', { members: [['list', list], ['a/b', 1], ['text', new Absent('string', 900, 902)]] }]));
    expect(come.map((row) => [row.path, row.open])).toEqual([['', true], ['/list', false], ['/a~1b', undefined], ['/text', undefined]]);
  });

  it('are there part by part', () => {
    const open = { toggled: new Set(['']), shown: new Map() };
    expect(rowsOf(list, untouched, parts(['', { members: members(1000) }])).at(-1)).toMatchObject({ more: 4000, absent: true });
    expect(rowsOf(list, untouched, parts(['', { members: members(5000) }])).length).toBe(5001);
    expect(rowsOf(list, open, parts(['', { members: members(1000) }]))).toHaveLength(1);
  });

  it('of a text are the text once it has come', () => {
    const text = new Absent('string', 9000, 9002);
    expect(rowsOf(text, untouched)[0]?.value).toBe(text);
    expect(rowsOf(text, untouched, parts(['', { text: 'all of it' }]))[0]?.value).toBe('all of it');
  });
});

it.each([[{}], [null], ['abc'], [[1, 22, true]], [{ a: 'b', c: [null, { d: 1.5 }] }]])('the weight of %j is about the length of its JSON', (value) => {
  expect(Math.abs(weightOf(value) - JSON.stringify(value).length)).toBeLessThanOrEqual(4);
});
