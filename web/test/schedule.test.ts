import { expect, it } from 'vitest';
import type { Schemas } from '@/api/client';
import { cronInWords, eventsOf, kindOf, watchOf, wordsOf, zoneOf } from '@/pages/more/schedule';

const schedule = (kind: string, more: Record<string, unknown>): Schemas['Schedule'] => ({
  id: 's',
  workflow_id: 'w',
  workflow_name: 'nightly',
  kind,
  enabled: true,
  next_due: null,
  last_fired: null,
  skipped: 0,
  ...more,
});
const folder = { folder: 'inbox', glob: '*.csv', recursive: false, events: ['created', 'removed'], settle_ms: 2000 };

it.each([
  ['cron', { cron: '0 6 * * *', timezone: 'Europe/Berlin' }, '0 6 * * * Europe/Berlin', 'Europe/Berlin'],
  ['cron', { cron: '0 6 * * *' }, '0 6 * * *', 'UTC'],
  ['every', { every_ms: 2000 }, '2.0\u00a0s', null],
  ['files', folder, 'inbox/*.csv', null],
  ['files', { ...folder, recursive: true }, 'inbox/**/*.csv', null],
])('a schedule of the kind %s with %o is written as `%s`', (kind, details, words, zone) => {
  expect(wordsOf(schedule(kind, details))).toBe(words);
  expect(zoneOf(schedule(kind, details))).toBe(zone);
});

it('a watched folder tells what counts, and after which time', () => {
  expect(eventsOf(schedule('files', folder))).toBe('when a file appears, goes and stays so for 2.0\u00a0s');
  expect(eventsOf(schedule('cron', {}))).toBeNull();
});

it('a watched folder is watched, not yet watched, or cannot be watched for a reason', () => {
  expect(watchOf(schedule('files', { watching: true }))).toMatchObject({ status: 'running', word: 'Watching' });
  expect(watchOf(schedule('files', { watching: false }))).toMatchObject({ status: 'pending', problem: '' });
  expect(watchOf(schedule('files', { watching: false, problem: 'There is no such folder.' }))).toMatchObject({ status: 'faulted', problem: 'There is no such folder.' });
  expect(watchOf(schedule('cron', {}))).toBeNull();
});

it.each([
  ['* * * * *', 'Every minute'],
  ['*/15 * * * *', 'Every 15 minutes'],
  ['*/7 * * * *', null],
  ['0 * * * *', 'Every hour'],
  ['5 * * * *', 'Every hour, at minute 05'],
  ['30 */6 * * *', 'Every 6 hours, at minute 30'],
  ['0 6 * * *', 'Every day at 06:00'],
  ['0 9 * * 1-5', 'Monday to Friday at 09:00'],
  ['15 22 * * 7', 'Every Sunday at 22:15'],
  ['0 8 * * tue', 'Every Tuesday at 08:00'],
  ['0 3 1 * *', 'On day 1 of each month at 03:00'],
  ['0 3 1 1 *', null],
  ['0 3 1 * 1', null],
  ['0 0,12 * * *', null],
  ['@daily', null],
])('%s in words: %s', (cron, words) => expect(cronInWords(cron)).toBe(words));

it('kinds have words', () => {
  expect(kindOf(schedule('every', {}))).toBe('Every so often');
  expect(kindOf(schedule('later', {}))).toBe('later');
});
