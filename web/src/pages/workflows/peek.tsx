// A workflow at a glance: what it is for, what starts it, how it has fared.
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { Schemas } from '@/api/client';
import { newestRunsQuery } from '@/api/newest-runs';
import { t } from '@/i18n/en';
import { ButtonLink } from '@/ui/button';
import { between, duration } from '@/ui/format';
import { Facts, Peek } from '@/ui/peek';
import { Badge, Status } from '@/ui/status';
import { Time, Took } from '@/ui/time';

const SHOWN = 5;

export default function WorkflowPeek({ workflow, close }: { workflow: Schemas['Workflow']; close: () => void }) {
  const runs = useQuery(newestRunsQuery(workflow.id)).data ?? [];
  const over = runs.filter((run) => ['completed', 'faulted'].includes(run.status));
  const times = over.map((run) => between(run.started_at, run.ended_at, 0) ?? 0).toSorted((a, b) => a - b);
  const middle = times[Math.floor((times.length - 1) / 2)];
  return (
    <Peek title={workflow.name} close={close}>
      <p className="flex flex-wrap items-center gap-2">
        <Badge>v{workflow.version}</Badge>
        {!workflow.is_active && <Badge>{t.workflows.inactive}</Badge>}
        {workflow.triggers.map((trigger, at) => (
          <Badge key={`${trigger.type}-${at}`}>{t.workflows[trigger.type]}</Badge>
        ))}
      </p>
      {workflow.description && <p className="break-words">{workflow.description}</p>}
      <Facts
        of={[
          [t.workflows.changed, <Time key="changed" at={workflow.updated_at} />],
          [t.peek.success, over.length === 0 ? '—' : t.peek.of(over.filter((run) => run.status === 'completed').length, over.length)],
          [t.peek.median, middle === undefined ? '—' : duration(middle)],
        ]}
      />
      {runs.length > 0 && (
        <ul className="flex flex-col gap-1 text-sm">
          {runs.slice(0, SHOWN).map((run) => (
            <li key={run.id} className="flex items-center gap-2">
              <Link to="/runs/$runId" params={{ runId: run.id }} className="w-28 shrink-0 hover:underline">
                <Status status={run.status} />
              </Link>
              <Time at={run.created_at} className="min-w-0 flex-1 truncate text-muted" />
              <Took start={run.started_at} end={run.ended_at} className="text-muted" />
            </li>
          ))}
        </ul>
      )}
      <ButtonLink to="/workflows/$workflowId" params={{ workflowId: workflow.id }} className="self-start">
        {t.peek.openWorkflow}
      </ButtonLink>
    </Peek>
  );
}
