import { Link } from '@tanstack/react-router';
import { ChevronLeft, ChevronRight, X } from 'lucide-react';
import type { Schemas } from '@/api/client';
import { t } from '@/i18n/en';
import { IconButton } from '@/ui/button';
import { ErrorView } from '@/ui/error-view';
import { clockTime } from '@/ui/format';
import { Status } from '@/ui/status';
import { Time, Took } from '@/ui/time';
import { AttemptList } from './attempt-list';
import { Refusal } from './planned';
import { keyOf, type TaskRun } from './tasks';
import { RunValue } from './values';

/** One task: what came in, what went out, how often, what went wrong. A task of a loop has several runs; one is shown at a time. */
export function TaskPanel({ tasks, name, run, close, choose }: { tasks: TaskRun[]; name: string; run: Schemas['Run']; close: () => void; choose: (key: string) => void }) {
  const task = tasks[0];
  const all = task ? run.tasks.filter((other) => other.reference === task.reference) : [];
  const at = task ? all.findIndex((other) => keyOf(other) === keyOf(task)) : -1;
  const go = (to: number) => {
    const other = all[to];
    if (other) choose(keyOf(other));
  };
  return (
    <aside aria-label={t.runs.taskPanel(name)} className="flex w-full shrink-0 flex-col gap-3 overflow-y-auto border-t border-line p-4 lg:h-full lg:w-[420px] lg:border-t-0 lg:border-l">
      <div className="flex items-center gap-2">
        <h2 className="min-w-0 flex-1 truncate text-lg font-semibold">{task?.name || name}</h2>
        {all.length > 1 && (
          <div className="flex items-center text-sm text-muted">
            <IconButton label={t.runs.previous} disabled={at <= 0} onClick={() => go(at - 1)}>
              <ChevronLeft className="size-4" aria-hidden="true" />
            </IconButton>
            {t.runs.nth(at + 1, all.length)}
            <IconButton label={t.runs.next} disabled={at >= all.length - 1} onClick={() => go(at + 1)}>
              <ChevronRight className="size-4" aria-hidden="true" />
            </IconButton>
          </div>
        )}
        <IconButton label={t.common.close} onClick={close}>
          <X className="size-4" aria-hidden="true" />
        </IconButton>
      </div>
      {!task ? (
        <p className="text-muted">{t.runs.didNotRun}</p>
      ) : (
        <>
          <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1 text-sm">
            <dt className="text-muted">{t.runs.status}</dt>
            <dd>
              <Status status={task.status} />
            </dd>
            <dt className="text-muted">{t.runs.type}</dt>
            <dd className="font-mono">{task.type}</dd>
            <dt className="text-muted">{t.runs.attempts}</dt>
            <dd>{task.attempt}</dd>
            <dt className="text-muted">{t.runs.started}</dt>
            <dd>
              <Time at={task.started_at} />
            </dd>
            <dt className="text-muted">{t.runs.duration}</dt>
            <dd>
              <Took start={task.started_at} end={task.ended_at} />
            </dd>
            <dt className="text-muted">{t.runs.place}</dt>
            <dd className="min-w-0 break-words">
              <Link to="/workflows/$workflowId" params={{ workflowId: run.workflow_id }} search={{ at: task.reference, version: String(run.version) }} className="link font-mono">
                {task.reference}
              </Link>
            </dd>
          </dl>
          <Refusal run={run} task={task} />
          {(task.error !== null || task.left_out?.error !== undefined) && (
            <Part title={t.runs.error}>
              {task.left_out?.error === undefined ? <ErrorView error={task.error} /> : <RunValue run={run} task={task} of="error" label={t.runs.error} />}
            </Part>
          )}
          {task.attempt > 1 && (
            <Part title={t.runs.attempts}>
              <AttemptList run={run.id} task={task} />
            </Part>
          )}
          {task.logs.length > 0 && (
            <Part title={t.runs.logs}>
              <ol tabIndex={0} aria-label={t.runs.logs} className="panel max-h-60 overflow-auto p-2 font-mono text-xs">
                {task.logs.map((line, index) => (
                  <li key={index} className="break-words whitespace-pre-wrap">
                    <span className="text-muted">{line.at ? clockTime(line.at) : ''} </span>
                    <span className={line.level === 'error' ? 'text-fail' : line.level === 'warning' ? 'text-wait' : undefined}>{line.text}</span>
                  </li>
                ))}
              </ol>
            </Part>
          )}
          <Part title={t.runs.input}>
            <RunValue run={run} task={task} of="input" label={t.runs.input} />
          </Part>
          {task.ended_at && (
            <Part title={t.runs.output}>
              <RunValue run={run} task={task} of="output" label={t.runs.output} />
            </Part>
          )}
        </>
      )}
    </aside>
  );
}

function Part({ title, children }: { title: string; children: React.ReactNode }) {
  return (
    <section className="flex flex-col gap-1.5">
      <h3 className="font-medium">{title}</h3>
      {children}
    </section>
  );
}
