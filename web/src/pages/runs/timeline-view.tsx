import { useMemo, useState } from 'react';
import type { Schemas } from '@/api/client';
import { t } from '@/i18n/en';
import { cx } from '@/ui/cx';
import { duration } from '@/ui/format';
import { FILL, StatusShape, statusWord, toneOf } from '@/ui/status';
import { asTree, depthOf, folded, keyOf, refusalOf, type TaskRun } from './tasks';
import { scaleOf } from './timeline';

const FIRST = 200;

/** One row for each task that ran, in words and as a bar. */
export function Timeline({ run, now, selected, choose }: { run: Schemas['Run']; now: number; selected: string | null; choose: (task: string | null) => void }) {
  const [shown, setShown] = useState(FIRST);
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const from = Date.parse(run.started_at ?? run.created_at ?? '') || now;
  const to = Math.max(from + 1, run.ended_at ? Date.parse(run.ended_at) : now);
  const references = new Set(run.tasks.map((task) => task.reference));
  const rows = useMemo(() => asTree(run.tasks.filter((task) => task.started_at)), [run.tasks]);
  const listed = useMemo(() => folded(rows, open, selected), [rows, open, selected]);
  const spanOf = (task: TaskRun) => ({ start: Date.parse(task.started_at ?? ''), end: task.ended_at ? Date.parse(task.ended_at) : to });
  const scale = scaleOf(rows.map(spanOf), from, to);
  const percent = (time: number) => `${(scale.at(time) * 100).toFixed(3)}%`;
  if (rows.length === 0) return <p className="p-6 text-muted">{t.runs.notStarted}</p>;
  return (
    <table className="w-full table-fixed text-left">
      <caption className="sr-only">{t.runs.view.timeline}</caption>
      <thead className="sticky top-0 z-[1] bg-bg text-xs text-muted">
        <tr className="border-b border-line">
          <th scope="col" className="w-44 px-4 py-1.5 font-medium md:w-64 md:px-6">
            {t.runs.task}
          </th>
          <th scope="col" className="relative px-2 py-1.5 font-medium">
            <span className="flex justify-between">
              <span>+0</span>
              <span>{duration(to - from)}</span>
            </span>
            {scale.folds.map((fold) => (
              <span key={fold.at} className="absolute top-1.5 -translate-x-1/2 bg-bg px-1 whitespace-nowrap" style={{ left: `${fold.at * 100}%` }} title={t.runs.folded}>
                ⫽ {duration(fold.ms)}
              </span>
            ))}
          </th>
          <th scope="col" className="w-20 px-2 py-1.5 text-right font-medium md:w-24 md:pr-6">
            {t.runs.duration}
          </th>
        </tr>
      </thead>
      <tbody>
        {listed.slice(0, shown).map((task) => {
          if ('hidden' in task) {
            return (
              <tr key={`fold ${task.loop}`} className="border-b border-line">
                <td colSpan={3} className="px-4 py-1 md:px-6">
                  <button type="button" className="link min-h-6 text-sm" onClick={() => setOpen((before) => new Set(before).add(task.loop))}>
                    {t.runs.moreOf(task.hidden, task.name)}
                  </button>
                </td>
              </tr>
            );
          }
          const span = spanOf(task);
          const key = keyOf(task);
          return (
            <tr key={key} className={cx('border-b border-line hover:bg-subtle', selected === key && 'bg-hover!')}>
              <th scope="row" className="px-4 py-0 font-normal md:px-6">
                <button type="button" className="flex h-8 w-full min-w-0 items-center gap-1.5 text-left" onClick={() => choose(key)} style={{ paddingLeft: depthOf(task, references) * 14 }}>
                  <StatusShape status={task.status} />
                  <span className="truncate">{task.name}</span>
                  {task.iteration.length > 0 && <span className="shrink-0 text-xs text-muted">[{task.iteration.join('.')}]</span>}
                  {!run.dry_run && refusalOf(task) !== null && <span className="shrink-0 text-xs text-wait">{t.planned.short}</span>}
                </button>
              </th>
              <td className="px-2 py-0">
                <div className="relative h-8" aria-hidden="true">
                  <span
                    className={cx('bar absolute top-2.5 h-3 min-w-[3px] rounded-[2px]', FILL[toneOf(task.status)], task.status === 'running' && 'pulse')}
                    style={{ left: percent(span.start), width: `calc(${percent(span.end)} - ${percent(span.start)})` }}
                  />
                </div>
                <span className="sr-only">
                  {statusWord(task.status)}, {t.runs.after(duration(span.start - from))}
                </span>
              </td>
              <td className="px-2 py-0 text-right text-sm whitespace-nowrap md:pr-6">{duration(span.end - span.start)}</td>
            </tr>
          );
        })}
        {listed.length > shown && (
          <tr>
            <td colSpan={3} className="p-3 text-center">
              <button type="button" className="link" onClick={() => setShown(shown + 1000)}>
                {t.json.more(listed.length - shown)}
              </button>
            </td>
          </tr>
        )}
      </tbody>
    </table>
  );
}
