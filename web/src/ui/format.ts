// Times, durations and numbers as people read them. What stands on every page does without `Intl`: the first use of each part of it in a page costs
// tens of milliseconds, on a phone hundreds.
import { t } from '@/i18n/en';

type Unit = 'year' | 'month' | 'week' | 'day' | 'hour' | 'minute' | 'second';
const UNITS: [Unit, number][] = [
  ['year', 365 * 86_400],
  ['month', 30 * 86_400],
  ['week', 7 * 86_400],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
];

export function ago(time: string | number, now: number): string {
  const seconds = (new Date(time).getTime() - now) / 1000;
  if (Math.abs(seconds) < 10) return seconds > 0 ? t.ago.soon : t.ago.now;
  const [unit, length] = UNITS.find((one) => Math.abs(seconds) >= one[1]) ?? (['second', 1] as [Unit, number]);
  const number = Math.trunc(seconds / length);
  const [last, next] = t.ago[unit];
  if (number === -1) return last;
  if (number === 1) return next;
  return number < 0 ? t.ago.past(-number, unit) : t.ago.future(number, unit);
}

let shownZone = '';
const made = new Map<string, Intl.DateTimeFormat>();

/** The time zone in which times are shown; empty: that of the browser. */
export function showTimesIn(zone: string): void {
  shownZone = isZone(zone) ? zone : '';
}

/** The zone in which times are shown, by its name. */
export function zoneName(): string {
  return shownZone || new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

export function isZone(zone: string): boolean {
  if (zone === '') return false;
  try {
    return Boolean(new Intl.DateTimeFormat('en', { timeZone: zone }));
  } catch {
    return false;
  }
}

/** Made once for each form and zone: making one takes longer than using it a thousand times. */
export function timeFormat(form: Intl.DateTimeFormatOptions, zone = shownZone): Intl.DateTimeFormat {
  const key = `${zone} ${JSON.stringify(form)}`;
  const known = made.get(key);
  if (known) return known;
  const fresh = new Intl.DateTimeFormat('en-GB', zone ? { ...form, timeZone: zone } : form);
  made.set(key, fresh);
  return fresh;
}

export function exactTime(time: string, zone?: string): string {
  const text = timeFormat({ dateStyle: 'medium', timeStyle: 'medium' }, zone).format(new Date(time));
  return zone ? `${text} ${zone}` : text;
}

export function clockTime(time: string): string {
  return timeFormat({ timeStyle: 'medium' }).format(new Date(time));
}

/** The day and the minutes: what one plans with. */
export function plannedTime(time: string, zone?: string): string {
  return timeFormat({ weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' }, zone).format(new Date(time));
}

/** What clocks and calendars show at that time where times are shown, as if it were UTC: to reckon with days. */
export function wallTime(time: Date): Date {
  const parts = timeFormat({ year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric', hourCycle: 'h23' }).formatToParts(time);
  const part = (type: Intl.DateTimeFormatPartTypes) => Number(parts.find((one) => one.type === type)?.value);
  return new Date(Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second')));
}

/** `850 ms`, `4.2 s`, `3 m 12 s`, `2 h 5 m`, `3 d 4 h`; no line ends between a number and its unit. */
export function duration(ms: number): string {
  if (!Number.isFinite(ms) || ms < 0) return '';
  if (ms < 1000) return `${Math.round(ms)}\u00a0ms`;
  if (ms < 60_000) return `${(Math.floor(ms / 100) / 10).toFixed(1)}\u00a0s`;
  const seconds = Math.floor(ms / 1000);
  if (seconds < 3_600) return two(Math.floor(seconds / 60), 'm', seconds % 60, 's');
  if (seconds < 86_400) return two(Math.floor(seconds / 3_600), 'h', Math.floor((seconds % 3_600) / 60), 'm');
  return two(Math.floor(seconds / 86_400), 'd', Math.floor((seconds % 86_400) / 3_600), 'h');
}

function two(large: number, unit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large}\u00a0${unit}` : `${large}\u00a0${unit} ${small}\u00a0${smallUnit}`;
}

export function between(start: string | null | undefined, end: string | null | undefined, now: number): number | null {
  if (!start) return null;
  return Math.max(0, (end ? new Date(end).getTime() : now) - new Date(start).getTime());
}

/** In groups of three, with at most three digits behind the point. */
export function count(value: number): string {
  return grouped(String(Math.round(value * 1000) / 1000));
}

/** Money: two digits behind the point, or up to `most` where they say something. */
export function amount(value: number, most: number): string {
  return grouped(value.toFixed(most).replace(/(\.\d\d\d*?)0+$/, '$1'));
}

function grouped(digits: string): string {
  const [whole = '', part] = digits.split('.');
  return whole.replace(/\B(?=(\d{3})+$)/g, ',') + (part === undefined ? '' : `.${part}`);
}

export function bytes(size: number): string {
  if (size < 1024) return `${size} B`;
  if (size < 1024 * 1024) return `${(size / 1024).toFixed(1)} KB`;
  if (size < 1024 ** 3) return `${(size / 1024 / 1024).toFixed(1)} MB`;
  return `${(size / 1024 ** 3).toFixed(1)} GB`;
}

/** A text of the server with its times and sizes as people read them. */
export function readable(text: string): string {
  return text
    .replace(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, (time) => exactTime(time))
    .replace(/\b(\d{4,}) bytes\b/g, (_all, size: string) => bytes(Number(size)));
}

/** The end of an id is what differs. */
export function shortId(id: string): string {
  return id.slice(-8);
}

/** The beginning of a slice of time, as exact as the slice is short, with the day where slices make up more than one. */
export function sliceTime(time: string, seconds: number): string {
  const minutes = { hour: '2-digit', minute: '2-digit' } as const;
  const form: Intl.DateTimeFormatOptions = seconds >= 86_400 ? { day: 'numeric', month: 'short' } : seconds >= 1_800 ? { weekday: 'short', ...minutes } : minutes;
  return timeFormat(form).format(new Date(time));
}
