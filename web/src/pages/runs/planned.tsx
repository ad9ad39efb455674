// Destructive steps that only told their plan: what is shown as done was not, so this is said first, with why and what to do.
import { Link } from '@tanstack/react-router';
import { ShieldAlert } from 'lucide-react';
import type { Schemas } from '@/api/client';
import { useMay } from '@/app/session';
import { t } from '@/i18n/en';
import { keyOf, refusalOf, type TaskRun } from './tasks';

/** Above the run's views: which of its tasks did nothing. In a dry run all of them did, and it says so itself. */
export function PlannedOnly({ run, choose }: { run: Schemas['Run']; choose: (task: string) => void }) {
  const planned = run.dry_run ? [] : run.tasks.filter((task) => refusalOf(task) !== null);
  const first = planned[0];
  if (!first) return null;
  return (
    <p className="flex flex-wrap items-center gap-x-2 gap-y-1 border-b border-line bg-subtle px-4 py-1.5 md:px-6">
      <ShieldAlert className="size-4 shrink-0 text-wait" aria-hidden="true" />
      <span className="font-medium">{planned.length === 1 ? t.planned.one(first.name) : t.planned.some(planned.length)}</span>
      <button type="button" className="link min-h-6 text-sm" onClick={() => choose(keyOf(first))}>
        {t.planned.why}
      </button>
    </p>
  );
}

/** At the task: why, and what to do. */
export function Refusal({ run, task }: { run: Schemas['Run']; task: TaskRun }) {
  const manages = useMay('admin');
  const refusal = run.dry_run ? null : refusalOf(task);
  if (refusal === null) return null;
  const texts = refusal.kind === 'other' ? { title: t.planned.title, why: refusal.reason, help: '' } : { title: t.planned.title, ...t.planned[refusal.kind] };
  return (
    <section aria-label={t.planned.title} className="flex flex-col gap-1 rounded-md border border-line bg-subtle p-3">
      <h3 className="flex items-center gap-2 font-medium">
        <ShieldAlert className="size-4 shrink-0 text-wait" aria-hidden="true" />
        {texts.title}
      </h3>
      <p className="break-words">{texts.why}</p>
      {texts.help && <p className="text-sm text-muted">{texts.help}</p>}
      {refusal.kind === 'role' && manages && (
        <Link to="/organization" className="link text-sm">
          {t.planned.setting}
        </Link>
      )}
      {refusal.kind === 'unasked' && (
        <Link to="/workflows/$workflowId" params={{ workflowId: run.workflow_id }} search={{ at: task.reference }} className="link text-sm">
          {t.planned.edit}
        </Link>
      )}
    </section>
  );
}
