import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { api, ask } from '@/api/client';
import { scope, useMay } from '@/app/session';
import { t } from '@/i18n/en';
import { Button } from '@/ui/button';
import { Page } from '@/ui/page';
import { Empty, Loading, ProblemView } from '@/ui/states';
import { Badge } from '@/ui/status';
import { Table } from '@/ui/table';
import { Time } from '@/ui/time';
import { toast } from '@/ui/toast';

export function SchedulesPage() {
  const queries = useQueryClient();
  const writes = useMay('member');
  const key = [scope(), 'schedules'];
  const list = useQuery({ queryKey: key, queryFn: () => ask(api.GET('/api/schedules', { params: { query: { limit: 200 } } })), refetchInterval: 30_000 });
  const change = useMutation({
    mutationFn: ({ id, enabled }: { id: string; enabled: boolean }) => ask(api.POST('/api/schedules/{schedule_id}', { params: { path: { schedule_id: id } }, body: { enabled } })),
    onError: toast.failed,
    onSettled: () => queries.invalidateQueries({ queryKey: key }),
  });
  return (
    <Page title={t.schedules.title}>
      {list.isPending && <Loading />}
      {list.error && <ProblemView error={list.error} retry={() => void list.refetch()} />}
      {list.data?.items.length === 0 && <Empty title={t.schedules.empty}>{t.schedules.emptyHelp}</Empty>}
      {(list.data?.items.length ?? 0) > 0 && (
        <Table
          caption={t.schedules.title}
          rows={list.data?.items ?? []}
          id={(schedule) => schedule.id}
          columns={[
            {
              head: t.schedules.workflow,
              cell: (schedule) => (
                <Link to="/workflows/$workflowId" params={{ workflowId: schedule.workflow_id }} className="font-medium hover:underline">
                  {schedule.workflow_name}
                </Link>
              ),
            },
            { head: t.schedules.kind, cell: (schedule) => <Badge>{schedule.kind}</Badge> },
            { head: t.schedules.next, cell: (schedule) => (schedule.enabled ? <Time at={schedule.next_due} /> : <span className="text-muted">{t.schedules.off}</span>) },
            {
              head: t.schedules.last,
              cell: (schedule) => (
                <span className="text-sm text-muted">
                  {schedule.last_fired ? <Time at={schedule.last_fired} /> : t.common.never}
                  {schedule.skipped > 0 && ` · ${t.schedules.skipped(schedule.skipped)}`}
                </span>
              ),
            },
            {
              head: t.common.actions,
              className: 'md:text-right',
              cell: (schedule) =>
                writes && (
                  <Button onClick={() => change.mutate({ id: schedule.id, enabled: !schedule.enabled })}>{schedule.enabled ? t.schedules.pause : t.schedules.start}</Button>
                ),
            },
          ]}
        />
      )}
    </Page>
  );
}
