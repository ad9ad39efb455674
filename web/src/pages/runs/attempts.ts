// The attempts of a task: every call of a function is one. The run itself keeps the last one.
import { queryOptions } from '@tanstack/react-query';
import { api, ask, type Schemas } from '@/api/client';
import { scope } from '@/app/session';
import type { TaskRun } from './tasks';

type Record = Schemas['TaskAttempt'];

export type Attempt = {
  number: number;
  /** The task that called, where it stands within the one that is shown. */
  task: string | null;
  calls: string;
  began: string;
  ended: string;
  outcome: Record['outcome'];
  error: string | null;
  /** Until the next attempt, in milliseconds. */
  wait: number | null;
};

/** A task of a run that is over has all its records; one that goes on is asked about again with each attempt. */
export function attemptsQuery(run: string, task: TaskRun) {
  return queryOptions({
    queryKey: [scope(), 'runs', 'attempts', run, task.reference, task.attempt, task.status],
    queryFn: ({ signal }) => ask(api.GET('/api/runs/{run_id}/attempts', { params: { path: { run_id: run }, query: { task: task.reference } }, signal })),
    select: (page) => attemptsOf(page.items, task),
  });
}

export function attemptsOf(records: readonly Record[], task: Pick<TaskRun, 'reference' | 'started_at' | 'ended_at'>): Attempt[] {
  const from = task.started_at ? Date.parse(task.started_at) : 0;
  const to = task.ended_at ? Date.parse(task.ended_at) : Number.POSITIVE_INFINITY;
  const found = records
    // The other rounds of a loop have the same reference; they ran before or after.
    .filter((record) => Date.parse(record.ended_at ?? '') >= from && Date.parse(record.ended_at ?? '') <= to)
    .map(
      (record): Attempt => ({
        number: record.number,
        task: record.task === task.reference ? null : (record.task.split('/').at(-1) ?? null),
        calls: record.function,
        began: record.started_at ?? '',
        ended: record.ended_at ?? '',
        outcome: record.outcome,
        error: errorOf(record.error),
        wait: null,
      }),
    )
    .sort((a, b) => a.number - b.number || Date.parse(a.ended) - Date.parse(b.ended));
  for (const [at, attempt] of found.entries()) {
    const next = found[at + 1];
    if (next && next.number > attempt.number) attempt.wait = Math.max(0, Date.parse(next.began) - Date.parse(attempt.ended));
  }
  return found;
}

const memberOf = (value: unknown, name: string): unknown => (value !== null && typeof value === 'object' ? (value as { [name: string]: unknown })[name] : undefined);

function errorOf(error: unknown): string | null {
  if (typeof error === 'string') return error;
  const said = [memberOf(error, 'title'), memberOf(error, 'detail')].filter((text) => typeof text === 'string');
  return said.length > 0 ? said.join(': ') : null;
}
