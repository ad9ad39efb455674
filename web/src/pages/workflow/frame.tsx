import { useQuery } from '@tanstack/react-query';
import { Link, Outlet, useParams } from '@tanstack/react-router';
import { workflowQuery } from '@/api/workflows';
import { t } from '@/i18n/en';
import { PageTitle } from '@/ui/page';
import { Loading, ProblemView } from '@/ui/states';
import { Badge } from '@/ui/status';
import { Standing } from './standing';

const TABS = [
  { to: '/workflows/$workflowId', label: t.workflow.edit },
  { to: '/workflows/$workflowId/runs', label: t.workflow.runs },
  { to: '/workflows/$workflowId/triggers', label: t.triggers.title },
  { to: '/workflows/$workflowId/access', label: t.reach.title },
  { to: '/workflows/$workflowId/versions', label: t.workflow.versions },
] as const;

/** What the pages of one workflow share: its name, and the way between them. */
export function WorkflowFrame() {
  const { workflowId } = useParams({ from: '/inside/workflows/$workflowId' });
  const workflow = useQuery(workflowQuery(workflowId));
  if (workflow.error) {
    return (
      <div className="p-4">
        <PageTitle title={t.workflows.title} className="mb-3" />
        <ProblemView error={workflow.error} retry={() => void workflow.refetch()} />
      </div>
    );
  }
  return (
    <div className="flex min-h-full flex-col md:h-dvh">
      <div className="border-b border-line px-4 pt-3 md:px-6">
        <nav aria-label={t.workflow.trail} className="text-sm text-muted">
          <Link to="/workflows" className="hover:underline">
            {t.workflows.title}
          </Link>
        </nav>
        <div className="flex items-center gap-2">
          <PageTitle title={workflow.data?.name ?? t.common.loading} />
          {workflow.data && !workflow.data.is_active && <Badge>{t.workflows.inactive}</Badge>}
          {workflow.data && <Standing workflow={workflow.data} />}
        </div>
        <nav aria-label={t.workflow.parts} className="-mb-px flex gap-4 overflow-x-auto">
          {TABS.map((tab) => (
            <Link
              key={tab.to}
              to={tab.to}
              params={{ workflowId }}
              activeOptions={{ exact: true, includeSearch: false }}
              className="border-b-2 border-transparent py-2 text-muted hover:text-fg data-[status=active]:border-accent data-[status=active]:text-fg"
            >
              {tab.label}
            </Link>
          ))}
        </nav>
      </div>
      <div className="min-h-0 flex-1">{workflow.data ? <Outlet /> : <div className="p-4"><Loading /></div>}</div>
    </div>
  );
}
