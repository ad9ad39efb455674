import { useQuery } from '@tanstack/react-query';
import { useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { workflowQuery } from '@/api/workflows';
import { BLANK, SAMPLES } from '@/editor/samples';
import { WorkflowEditor } from '@/editor/workflow-editor';
import { t } from '@/i18n/en';
import { PageTitle } from '@/ui/page';
import { textOf } from './text';

export function EditPage() {
  const { workflowId } = useParams({ from: '/inside/workflows/$workflowId/' });
  const { at } = useSearch({ from: '/inside/workflows/$workflowId/' });
  const workflow = useQuery(workflowQuery(workflowId));
  return workflow.data ? <WorkflowEditor key={workflowId} workflow={workflow.data} initial={textOf(workflow.data.definition)} {...(at ? { at } : {})} /> : null;
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
        <WorkflowEditor
          key={from}
          initial={sample?.text ?? BLANK}
          onCreated={(id) => void navigate({ to: '/workflows/$workflowId', params: { workflowId: id }, replace: true })}
        />
      </div>
    </div>
  );
}
