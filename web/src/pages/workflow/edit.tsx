import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { Suspense, useState } from 'react';
import type { Schemas } from '@/api/client';
import { versionQuery, workflowQuery } from '@/api/workflows';
import { BLANK, SAMPLES } from '@/editor/samples';
import { t } from '@/i18n/en';
import { PageTitle } from '@/ui/page';
import { part } from '@/ui/part';
import { Loading, ProblemView } from '@/ui/states';
import { textOf } from './text';

// The name of the workflow and the way to its other parts stand before the editor has been read.
const WorkflowEditor = part(async () => ({ default: (await import('@/editor/workflow-editor')).WorkflowEditor }));
const wait = (
  <div className="p-4">
    <Loading rows={8} />
  </div>
);

export function EditPage() {
  const { workflowId } = useParams({ from: '/inside/workflows/$workflowId/' });
  const { at, version } = useSearch({ from: '/inside/workflows/$workflowId/' });
  const workflow = useQuery(workflowQuery(workflowId));
  if (!workflow.data) return null;
  return (
    <Suspense fallback={wait}>
      <Edit key={`${workflowId} ${version ?? ''}`} workflow={workflow.data} wanted={Number(version)} at={at} />
    </Suspense>
  );
}

function Edit({ workflow, wanted, at }: { workflow: Schemas['Workflow']; wanted: number; at: string | undefined }) {
  // What was the current version when the page was opened stays the one that is edited, also when it is saved as the next.
  const [older] = useState(Number.isInteger(wanted) && wanted !== workflow.version);
  if (older) return <Older workflow={workflow} version={wanted} at={at} />;
  return <WorkflowEditor workflow={workflow} initial={textOf(workflow.definition)} {...(at ? { at } : {})} />;
}

/** A version that is not the current one, such as the one that a run has: to be read. */
function Older({ workflow, version, at }: { workflow: Schemas['Workflow']; version: number; at: string | undefined }) {
  const found = useQuery(versionQuery(workflow.id, version));
  if (found.error) return <div className="p-4"><ProblemView error={found.error} retry={() => void found.refetch()} /></div>;
  if (!found.data) return <div className="p-4"><Loading /></div>;
  return (
    <div className="flex h-full flex-col">
      <p className="flex flex-wrap items-center gap-x-3 gap-y-1 border-b border-line bg-subtle px-4 py-1.5 text-sm md:px-6">
        {t.editor.frozen(version, workflow.version)}
        <Link to="/workflows/$workflowId" params={{ workflowId: workflow.id }} search={at ? { at } : {}} className="link">
          {t.editor.toCurrent}
        </Link>
      </p>
      <div className="min-h-0 flex-1">
        <WorkflowEditor key={version} initial={textOf(found.data.definition)} frozen={{ id: workflow.id, version }} {...(at ? { at } : {})} />
      </div>
    </div>
  );
}

export function NewEditPage() {
  const { from } = useParams({ from: '/inside/workflows/new/$from' });
  const navigate = useNavigate();
  const sample = SAMPLES.find((one) => one.id === from);
  return (
    <div className="flex min-h-full flex-col md:h-dvh">
      <div className="border-b border-line px-4 py-3 md:px-6">
        <PageTitle title={t.workflows.new} />
      </div>
      <div className="min-h-0 flex-1">
        <Suspense fallback={wait}>
          <WorkflowEditor
            key={from}
            initial={sample?.text ?? BLANK}
            onCreated={(id) => void navigate({ to: '/workflows/$workflowId', params: { workflowId: id }, replace: true })}
          />
        </Suspense>
      </div>
    </div>
  );
}
