import { useQuery } from '@tanstack/react-query';
import { t } from '@/i18n/en';
import { clockTime, duration, readable } from '@/ui/format';
import { Loading, ProblemView } from '@/ui/states';
import { Status } from '@/ui/status';
import { attemptsQuery } from './attempts';
import type { TaskRun } from './tasks';

const STATUS = { success: 'completed', failure: 'faulted', refused: 'cancelled', dry_run: 'skipped' } as const;

/** Each attempt of a task that was tried more than once: when, how it ended, how long until the next. */
export function AttemptList({ run, task }: { run: string; task: TaskRun }) {
  const attempts = useQuery(attemptsQuery(run, task));
  if (attempts.error) return <ProblemView error={attempts.error} retry={() => void attempts.refetch()} />;
  if (!attempts.data) return <Loading rows={2} />;
  if (attempts.data.length === 0) return <p className="text-sm text-muted">{t.runs.attemptsNone}</p>;
  return (
    <ol aria-label={t.runs.attempts} className="panel divide-y divide-line text-sm">
      {attempts.data.map((attempt, index) => (
        <li key={index} className="flex flex-col gap-1 px-3 py-2">
          <div className="flex flex-wrap items-center gap-x-3 gap-y-0.5">
            <span className="font-medium tabular-nums">{t.runs.attempt(attempt.number)}</span>
            <Status status={STATUS[attempt.outcome]} word={t.audit.outcomes[attempt.outcome]} />
            {attempt.task && <span className="font-mono">{attempt.task}</span>}
            <span className="ml-auto text-muted tabular-nums">
              {clockTime(attempt.began)} · {duration(Date.parse(attempt.ended) - Date.parse(attempt.began))}
            </span>
          </div>
          {attempt.error && <p className="line-clamp-4 break-words text-fail hover:line-clamp-none">{readable(attempt.error)}</p>}
          {attempt.wait !== null && <p className="text-xs text-muted">{t.runs.attemptWait(duration(attempt.wait))}</p>}
        </li>
      ))}
    </ol>
  );
}
