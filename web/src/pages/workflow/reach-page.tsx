import { useQuery } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { api, ask } from '@/api/client';
import { workflowQuery } from '@/api/workflows';
import { scope } from '@/app/session';
import { t } from '@/i18n/en';
import { Section } from '@/ui/page';
import { Loading, ProblemView } from '@/ui/states';
import { Manifest } from './reach';

export function ReachPage() {
  const { workflowId } = useParams({ from: '/inside/workflows/$workflowId/access' });
  const workflow = useQuery(workflowQuery(workflowId));
  const version = workflow.data?.version ?? 0;
  const reach = useQuery({
    queryKey: [scope(), 'workflows', 'reach', workflowId, version],
    enabled: version > 0,
    staleTime: Infinity,
    queryFn: () => ask(api.GET('/api/workflows/{workflow_id}/versions/{version}/capabilities', { params: { path: { workflow_id: workflowId, version } } })),
  });
  return (
    <div className="mx-auto flex w-full max-w-6xl flex-col gap-8 overflow-y-auto p-4 md:h-full md:px-6">
      <Section title={t.reach.of(version)} hint={t.reach.hint}>
        {reach.isPending && <Loading rows={4} />}
        {reach.error && <ProblemView error={reach.error} retry={() => void reach.refetch()} />}
        {reach.data && <Manifest capabilities={reach.data} of={{ workflowId, version }} />}
      </Section>
    </div>
  );
}
