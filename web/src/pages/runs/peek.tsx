// A run at a glance: how it stands, what went wrong or is waited for, how far it is.
import { useQuery } from '@tanstack/react-query';
import { runQuery } from '@/api/runs';
import { t } from '@/i18n/en';
import { ButtonLink } from '@/ui/button';
import { ErrorView } from '@/ui/error-view';
import { readable, shortId } from '@/ui/format';
import { Facts, Peek } from '@/ui/peek';
import { Loading, ProblemView } from '@/ui/states';
import { Badge, Status } from '@/ui/status';
import { Time, Took } from '@/ui/time';
import type { TaskRun } from './tasks';

const SHOWN = 5;

export default function RunPeek({ id, name, close }: { id: string; name: string; close: () => void }) {
  const { data: run, error } = useQuery(runQuery(id));
  return (
    <Peek title={name} close={close}>
      {error && !run && <ProblemView error={error} />}
      {!error && !run && <Loading rows={4} />}
      {run && (
        <>
          <p className="flex flex-wrap items-center gap-2">
            <Status status={run.status} className="font-medium" />
            <Badge>v{run.version}</Badge>
            {run.dry_run && <Badge>{t.runs.dry}</Badge>}
            <span className="text-sm text-muted">{shortId(run.id)}</span>
          </p>
          {run.waiting_reason && <p className="break-words text-wait">{readable(run.waiting_reason)}</p>}
          <Facts
            of={[
              [t.runs.started, <Time key="started" at={run.started_at ?? run.created_at} />],
              [t.runs.duration, <Took key="took" start={run.started_at} end={run.ended_at} />],
              [t.peek.tasks, tally(run.tasks)],
            ]}
          />
          {run.error !== null && run.error !== undefined && <ErrorView error={run.error} />}
          <Concerned tasks={run.tasks} />
          <ButtonLink to="/runs/$runId" params={{ runId: run.id }} className="self-start">
            {t.peek.openRun}
          </ButtonLink>
        </>
      )}
    </Peek>
  );
}

function tally(tasks: readonly TaskRun[]): string {
  const counts = new Map<string, number>();
  for (const { status } of tasks) counts.set(status, (counts.get(status) ?? 0) + 1);
  return [...counts].map(([status, number]) => t.peek.tally(number, status)).join(', ') || '—';
}

/** What failed or goes on; the innermost say it best. */
function Concerned({ tasks }: { tasks: readonly TaskRun[] }) {
  const open = tasks.filter((task) => ['faulted', 'running', 'waiting', 'suspended'].includes(task.status)).toReversed();
  if (open.length === 0) return null;
  return (
    <ul className="flex flex-col gap-1 text-sm">
      {open.slice(0, SHOWN).map((task) => (
        <li key={`${task.reference}#${task.iteration.join('.')}`} className="flex items-center gap-2">
          <Status status={task.status} className="w-24 shrink-0" />
          <span className="min-w-0 flex-1 truncate">{task.name}</span>
          <Took start={task.started_at} end={task.ended_at} className="text-muted" />
        </li>
      ))}
      {open.length > SHOWN && <li className="text-muted">{t.peek.more(open.length - SHOWN)}</li>}
    </ul>
  );
}
