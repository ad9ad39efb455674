import { describe, expect, it } from 'vitest';
import { helpAt } from '@/editor/hover';
import { calledTask, freeName, nameFor, templateTask } from '@/editor/templates';
import { inputSchemaOf, webhookOf } from '@/pages/workflow/definition';
import { daysFrom } from '@/pages/more/days';
import { showTimesIn, wallTime } from '@/ui/format';
import { roundUp } from '@/ui/charts';
import { below, check, controlOf, findingsAt, kindInWords, MASK, type Schema, Unfinished } from '@/ui/schema';

const SCHEMA: Schema = {
  type: 'object',
  properties: {
    url: { type: 'string', pattern: '^https://', minLength: 1 },
    port: { type: 'integer', minimum: 1, maximum: 65535 },
    mode: { enum: ['fast', 'slow'] },
    token: { type: 'string', writeOnly: true, minLength: 20 },
    tags: { type: 'array', items: { type: 'string', minLength: 1 } },
    nested: { type: 'object', properties: { 'a/b': { type: 'boolean' } }, required: ['a/b'] },
    body: {},
  },
  required: ['url'],
};

describe('a form', () => {
  it.each([
    [{}, { '/url': 'This is needed.' }],
    [{ url: 'ftp://x' }, { '/url': 'This does not have the form ^https://' }],
    [{ url: 'https://x', port: 0 }, { '/port': 'at least 1' }],
    [{ url: 'https://x', port: new Unfinished('8x') }, { '/port': 'This is not a number.' }],
    [{ url: 'https://x', mode: 'other' }, { '/mode': 'This is none of the choices.' }],
    [{ url: 'https://x', tags: ['a', ''] }, { '/tags/1': 'This may not be empty.' }],
    [{ url: 'https://x', nested: {} }, { '/nested/a~1b': 'This is needed.' }],
    [{ url: 'https://x', body: new Unfinished('{') }, { '/body': 'This is not complete JSON.' }],
    [{ url: 'https://x', port: 443, mode: 'fast', tags: [], nested: { 'a/b': true }, body: { x: 1 } }, {}],
  ])('says of %j what is wrong, by its place', (value, expected) => {
    expect(check(SCHEMA, value)).toEqual(expected);
  });

  it('takes a secret that is kept as it is, and asks for a good one else', () => {
    expect(check(SCHEMA, { url: 'https://x', token: MASK })).toEqual({});
    expect(check(SCHEMA, { url: 'https://x', token: 'short' })).toHaveProperty('/token');
  });

  it('takes expressions for any value where a definition is written', () => {
    const value = { url: '${ .url }', port: '${ .port }' };
    expect(check(SCHEMA, value, true)).toEqual({});
    expect(Object.keys(check(SCHEMA, value))).toEqual(['/url', '/port']);
  });

  it('gives each kind of value its control', () => {
    const controls = Object.values(SCHEMA.properties ?? {}).map(controlOf);
    expect(controls).toEqual(['text', 'number', 'choice', 'secret', 'list', 'group', 'value']);
    expect(controlOf({ type: ['string', 'object'] })).toBe('value');
    expect(controlOf({ type: 'object' })).toBe('value');
    expect(controlOf({ oneOf: [{ type: 'string' }] })).toBe('value');
  });

  it('puts the findings of a reply at their fields', () => {
    const findings = [
      { pointer: '/config/base_url', message: 'no' },
      { pointer: '/name', message: 'taken' },
    ];
    expect(findingsAt('/config', findings)).toEqual({ inside: { '/base_url': 'no' }, outside: ['taken'] });
    expect(below('/a', 'b/c~d')).toBe('/a/b~1c~0d');
  });

  it('says in words what a value is', () => {
    expect(kindInWords({ type: 'integer', minimum: 1 })).toBe('whole number, at least 1');
    expect(kindInWords({ oneOf: [{ type: 'string' }, { type: 'object' }] })).toBe('text or object');
    expect(kindInWords({})).toBe('anything');
  });
});

describe('the editor', () => {
  const schema: Schema = { type: 'object', properties: { b: { type: 'string' }, a: { type: 'integer', description: 'how many' } }, required: ['a'] };
  const words = { functions: [{ name: 'csv-parse', description: 'Reads tables', parameters: schema }], tasks: [] };
  it('explains keywords and functions under the pointer', () => {
    const line = '      - read: { call: csv-parse, with: {} }';
    expect(helpAt(line, line.indexOf('csv') + 2, words)).toMatchObject({ title: 'csv-parse', lines: ['a (required): how many', 'b: text'] });
    expect(helpAt('    for: x', 5, words)?.title).toBe('for');
    expect(helpAt('    forest: x', 6, words)).toBeNull();
    expect(helpAt("    text: 'set'", 12, words)).toBeNull();
  });
  it('makes tasks with free names in both forms of list', () => {
    expect(nameFor('shell-command')).toBe('shellCommand');
    expect(freeName('set', ['set', 'set2'])).toBe('set3');
    expect(templateTask('wait', ['wait'])).toEqual({ wait2: { wait: { seconds: 1 } } });
    expect(calledTask('http', 'get', { method: 'get', bad: new Unfinished('{') }, ['do'])).toEqual({ get: { call: 'http', with: { method: 'get' } } });
    expect(calledTask('http', 'get', {}, ['tasks'])).toEqual({ id: 'get', type: 'http', params: {} });
  });
});

it('a definition tells the schema of its input and its webhook, whatever its form', () => {
  const text = "document: {metadata: {webhook: {wait: true, secret: S, scheme: github}}}\ninput: {schema: {document: {type: object, properties: {n: {type: integer}}}}}\n";
  expect(inputSchemaOf(text)?.properties).toHaveProperty('n');
  expect(webhookOf(text)).toEqual({ wait: true, secret: 'S', scheme: 'github' });
  expect(inputSchemaOf({ do: [] })).toBeNull();
  expect(inputSchemaOf('a: [')).toBeNull();
  expect(webhookOf('document: {metadata: {webhook: true}}')).toEqual({ wait: false, secret: null, scheme: null });
});

it('a calendar has whole weeks, and every start in its day of the zone that is shown', () => {
  showTimesIn('Europe/Berlin');
  const now = new Date('2026-03-18T14:00:00Z'); // a Wednesday; clocks change within
  const until = new Date('2026-04-17T13:00:00Z');
  const at = ['2026-03-18T22:59:00Z', '2026-03-29T01:30:00Z', '2026-04-16T22:00:00Z'].map((time) => new Date(time));
  const days = daysFrom(now, until, at.map((date) => ({ at: date, workflow: 'w', name: 'n' })), wallTime);
  expect(days.length % 7).toBe(0);
  expect(days[0]?.date.toISOString()).toBe('2026-03-16T00:00:00.000Z');
  expect(days.filter((day) => day.starts.length > 0).map((day) => day.date.getUTCDate())).toEqual([18, 29, 17]);
  expect(new Set(days.map((day) => day.date.toISOString())).size).toBe(days.length);
  expect(days.filter((day) => day.outside).length).toBe(days.length - 31);
  showTimesIn('');
});

it.each([[0, 1], [1, 1], [3, 5], [11, 20], [50, 50], [51, 100], [0.2, 1]])('the axis for %d ends at %d', (value, top) => {
  expect(roundUp(value)).toBe(top);
});
