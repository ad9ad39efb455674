import type { Schemas } from '@/api/client';
import { t } from '@/i18n/en';
import { duration } from '@/ui/format';

type Schedule = Schemas['Schedule'];

const textOf = (schedule: Schedule, name: string) => (typeof schedule[name] === 'string' ? schedule[name] : '');

/** How it is written in the definition. */
export function wordsOf(schedule: Schedule): string {
  if (schedule.kind === 'files') return `${textOf(schedule, 'folder')}/${schedule['recursive'] === true ? '**/' : ''}${textOf(schedule, 'glob')}`;
  const every = schedule['every_ms'] ?? schedule['after_ms'];
  const span = typeof every === 'number' ? duration(every) : '';
  return [textOf(schedule, 'cron'), span, textOf(schedule, 'timezone')].filter(Boolean).join(' ');
}

/** A cron expression without a zone is read in UTC. */
export function zoneOf(schedule: Schedule): string | null {
  return textOf(schedule, 'cron') ? textOf(schedule, 'timezone') || 'UTC' : null;
}

/** What happens to a file that starts the workflow, and how long the file has to rest before it counts; of a watched folder only. */
export function eventsOf(schedule: Schedule): string | null {
  if (schedule.kind !== 'files') return null;
  const events = Array.isArray(schedule['events']) ? schedule['events'] : [];
  const words = (['created', 'changed', 'removed'] as const).filter((event) => events.includes(event)).map((event) => t.schedules.fileEvents[event]);
  const settle = schedule['settle_ms'];
  return t.schedules.onFiles(words.join(', '), typeof settle === 'number' ? duration(settle) : '');
}

/** Whether a watched folder is watched, as a status and a word, and why not where it is known. */
export function watchOf(schedule: Schedule): { status: 'running' | 'faulted' | 'pending'; word: string; problem: string } | null {
  if (schedule.kind !== 'files') return null;
  const problem = textOf(schedule, 'problem');
  if (problem) return { status: 'faulted', word: t.schedules.unwatched, problem };
  return schedule['watching'] === true ? { status: 'running', word: t.schedules.watching, problem } : { status: 'pending', word: t.schedules.watchBegins, problem };
}

export function kindOf(schedule: Schedule): string {
  return t.schedules.kinds[schedule.kind as keyof typeof t.schedules.kinds] ?? schedule.kind;
}

const two = (text: string) => text.padStart(2, '0');
const isNumber = (text: string) => /^\d{1,2}$/.test(text);

/** The plain ones among cron expressions, as one would say them; nothing for all others, which say it best themselves. */
export function cronInWords(cron: string): string | null {
  const [minute = '', hour = '', day = '', month = '', weekday = '', ...rest] = cron.trim().split(/\s+/);
  if (rest.length > 0 || month !== '*') return null;
  const words = t.schedules.cron;
  const step = /^\*\/(\d{1,2})$/;
  if (hour === '*' && day === '*' && weekday === '*') {
    if (minute === '*') return words.everyMinute;
    const every = step.exec(minute)?.[1];
    if (every && 60 % Number(every) === 0) return words.everyMinutes(Number(every));
    return isNumber(minute) ? words.everyHour(two(minute)) : null;
  }
  if (!isNumber(minute)) return null;
  const everyHours = step.exec(hour)?.[1];
  if (everyHours && day === '*' && weekday === '*' && 24 % Number(everyHours) === 0) return words.everyHours(Number(everyHours), two(minute));
  if (!isNumber(hour)) return null;
  const time = `${two(hour)}:${two(minute)}`;
  if (day === '*' && weekday === '*') return words.daily(time);
  if (day === '*') {
    if (weekday === '1-5' || weekday.toLowerCase() === 'mon-fri') return words.workdays(time);
    const at = isNumber(weekday) ? Number(weekday) % 7 : ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'].indexOf(weekday.toLowerCase());
    return at >= 0 ? words.weekly(words.weekdays[at] ?? '', time) : null;
  }
  return weekday === '*' && isNumber(day) ? words.monthly(Number(day), time) : null;
}
