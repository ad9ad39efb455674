import { describe, expect, it } from 'vitest';
import { ago, amount, between, bytes, clockTime, count, duration, exactTime, plannedTime, readable, showTimesIn, wallTime, zoneName } from '@/ui/format';

const NOW = Date.parse('2026-11-26T12:00:00Z');

describe('durations', () => {
  it.each([
    [0, '0 ms'],
    [999, '999 ms'],
    [1000, '1.0 s'],
    [59_990, '59.9 s'],
    [60_000, '1 m'],
    [192_000, '3 m 12 s'],
    [3_600_000, '1 h'],
    [7_500_000, '2 h 5 m'],
    [86_400_000 * 3 + 3_600_000 * 4, '3 d 4 h'],
    [-1, ''],
    [Number.NaN, ''],
  ])('%d ms reads %s', (ms, text) => {
    expect(duration(ms)).toBe(text.replaceAll(/(\d) (\w)/g, '$1\u00a0$2'));
  });

  it('of something that goes on are counted to now, and never negative', () => {
    expect(between('2026-11-26T11:59:58Z', null, NOW)).toBe(2000);
    expect(between('2026-11-26T11:59:58Z', '2026-11-26T11:59:59Z', NOW)).toBe(1000);
    expect(between('2026-11-26T12:00:05Z', null, NOW)).toBe(0);
    expect(between(null, null, NOW)).toBeNull();
  });
});

describe('relative times', () => {
  it.each([
    ['2026-11-26T11:59:55Z', 'just now'],
    ['2026-11-26T12:00:05Z', 'in a moment'],
    ['2026-11-26T11:59:15Z', '45 seconds ago'],
    ['2026-11-26T11:55:00Z', '5 minutes ago'],
    ['2026-11-25T12:00:00Z', 'yesterday'],
    ['2026-11-26T15:00:00Z', 'in 3 hours'],
    ['2025-11-01T12:00:00Z', 'last year'],
  ])('%s is %s', (time, text) => {
    expect(ago(time, NOW)).toBe(text);
  });
});

it('relative times, numbers and money read as Intl would have them', () => {
  const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
  const lengths = { second: 1, minute: 60, hour: 3600, day: 86_400, week: 7 * 86_400, month: 30 * 86_400, year: 365 * 86_400 } as const;
  for (const [unit, length] of Object.entries(lengths) as [keyof typeof lengths, number][]) {
    const most = { second: 59, minute: 59, hour: 23, day: 6, week: 4, month: 12, year: 20 }[unit];
    for (let number = unit === 'second' ? 10 : 1; number <= most; number += 1) {
      if (unit === 'month' && number === 12) continue;
      for (const sign of [-1, 1]) expect(ago(NOW + sign * number * length * 1000, NOW)).toBe(relative.format(sign * number, unit));
    }
  }
  const whole = new Intl.NumberFormat('en');
  const dollars = new Intl.NumberFormat('en', { minimumFractionDigits: 2, maximumFractionDigits: 4 });
  for (const value of [0, 1, 12, 999, 1000, 1234, 12_345, 123_456, 1_234_567, 1e9, 12.5, 1234.5678, 0.0004, 0.1 + 0.2]) {
    expect(count(value)).toBe(whole.format(value));
    expect(amount(value, 4)).toBe(dollars.format(value));
  }
});

it('sizes are in powers of 1024', () => {
  expect([bytes(12), bytes(1536), bytes(3 * 1024 * 1024), bytes(57_215_037_440)]).toEqual(['12 B', '1.5 KB', '3.0 MB', '53.3 GB']);
});

it('times and sizes in a text of the server are told as elsewhere', () => {
  expect(readable('57215037440 bytes free until 2026-11-26T12:00:00.500Z, 12 bytes')).toBe(`53.3 GB free until ${exactTime('2026-11-26T12:00:00.500Z')}, 12 bytes`);
});

it('times are shown in the zone that is chosen; one that is unknown leaves that of the browser', () => {
  showTimesIn('Asia/Kolkata');
  expect(clockTime('2026-11-26T12:00:00Z')).toBe('17:30:00');
  expect(zoneName()).toBe('Asia/Kolkata');
  expect(exactTime('2026-11-26T12:00:00Z', 'UTC')).toBe('26 Nov 2026, 12:00:00 UTC');
  expect(wallTime(new Date('2026-11-26T20:00:00Z')).toISOString()).toBe('2026-11-27T01:30:00.000Z');
  expect(plannedTime('2026-11-26T20:00:00Z')).toBe('Fri 27 Nov, 01:30');
  showTimesIn('Not/A_Zone');
  expect(zoneName()).toBe(new Intl.DateTimeFormat().resolvedOptions().timeZone);
});
