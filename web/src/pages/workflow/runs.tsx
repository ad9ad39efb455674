import { useParams } from '@tanstack/react-router';
import { RunList } from '@/pages/runs/table';

export function WorkflowRunsPage() {
  const { workflowId } = useParams({ from: '/inside/workflows/$workflowId/runs' });
  return (
    <div className="mx-auto max-w-6xl overflow-y-auto p-4 md:h-full md:px-6">
      <RunList filter={{ workflow: workflowId }} ofOne />
    </div>
  );
}
