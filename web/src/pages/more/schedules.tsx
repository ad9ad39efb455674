import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { api, ask, type Schemas } from '@/api/client';
import { scope, useMay } from '@/app/session';
import { t } from '@/i18n/en';
import { Button } from '@/ui/button';
import { plannedTime, zoneName } from '@/ui/format';
import { Page, Section } from '@/ui/page';
import { Empty, Loading, ProblemView } from '@/ui/states';
import { Badge, Status } from '@/ui/status';
import { Table } from '@/ui/table';
import { Time } from '@/ui/time';
import { toast } from '@/ui/toast';
import { Calendar } from './calendar';
import { cronInWords, eventsOf, kindOf, watchOf, wordsOf, zoneOf } from './schedule';

export function SchedulesPage() {
  const list = useQuery({ queryKey: [scope(), 'schedules'], queryFn: () => ask(api.GET('/api/schedules', { params: { query: { limit: 200 } } })), refetchInterval: 30_000 });
  const some = (list.data?.items.length ?? 0) > 0;
  return (
    <Page title={t.schedules.title}>
      {list.isPending && <Loading />}
      {list.error && <ProblemView error={list.error} retry={() => void list.refetch()} />}
      {list.data?.items.length === 0 && <Empty title={t.schedules.empty}>{t.schedules.emptyHelp}</Empty>}
      {some && <ScheduleTable items={list.data?.items ?? []} />}
      {some && (
        <Section title={t.calendar.title} hint={t.calendar.hint(zoneName())}>
          <Calendar />
        </Section>
      )}
    </Page>
  );
}

/** When it is in one's own time, and what the clock shows then where the schedule is written for. */
function Next({ at, zone }: { at: string | null; zone: string | null }) {
  if (!at) return <Time at={at} />;
  return (
    <span className="flex flex-col">
      <Time at={at} />
      <span className="text-sm text-muted">{plannedTime(at)}</span>
      {zone && zone !== zoneName() && <span className="text-sm text-muted">{t.schedules.inZone(plannedTime(at, zone), zone)}</span>}
    </span>
  );
}

/** What it says in words, where there are words for it; and as it is written. */
function When({ schedule }: { schedule: Schemas['Schedule'] }) {
  const words = typeof schedule['cron'] === 'string' ? cronInWords(schedule['cron']) : null;
  return (
    <span className="flex min-w-0 flex-col">
      {words && <span>{words}</span>}
      <span className={words ? 'font-mono text-xs break-all text-muted' : 'font-mono text-sm break-all'}>{wordsOf(schedule)}</span>
    </span>
  );
}

/** A folder has no next time: it is watched, or it is told why not. */
function Waiting({ schedule }: { schedule: Schemas['Schedule'] }) {
  if (!schedule.enabled) return <span className="text-muted">{t.schedules.off}</span>;
  const watch = watchOf(schedule);
  if (!watch) return <Next at={schedule.next_due} zone={zoneOf(schedule)} />;
  return (
    <span className="flex min-w-0 flex-col">
      <Status status={watch.status} word={watch.word} />
      {watch.problem && <span className="text-sm break-words text-muted">{watch.problem}</span>}
    </span>
  );
}

export function ScheduleTable({ items, ofOne = false }: { items: Schemas['Schedule'][]; ofOne?: boolean }) {
  const queries = useQueryClient();
  const writes = useMay('member');
  const change = useMutation({
    mutationFn: ({ id, enabled }: { id: string; enabled: boolean }) => ask(api.POST('/api/schedules/{schedule_id}', { params: { path: { schedule_id: id } }, body: { enabled } })),
    onError: toast.failed,
    onSettled: () => queries.invalidateQueries({ queryKey: [scope(), 'schedules'] }),
  });
  return (
    <Table
      caption={t.schedules.title}
      rows={items}
      id={(schedule) => schedule.id}
      columns={[
        ...(ofOne
          ? []
          : [
              {
                head: t.schedules.workflow,
                cell: (schedule: Schemas['Schedule']) => (
                  <Link to="/workflows/$workflowId/triggers" params={{ workflowId: schedule.workflow_id }} className="font-medium hover:underline">
                    {schedule.workflow_name}
                  </Link>
                ),
              },
            ]),
        {
          head: t.schedules.kind,
          cell: (schedule) => (
            <span className="flex flex-wrap items-center gap-2">
              <Badge>{kindOf(schedule)}</Badge>
              <When schedule={schedule} />
              {schedule.kind === 'files' && <span className="basis-full text-sm text-muted">{eventsOf(schedule)}</span>}
            </span>
          ),
        },
        { head: t.schedules.next, cell: (schedule) => <Waiting schedule={schedule} /> },
        {
          head: t.schedules.last,
          cell: (schedule) => (
            <span className="text-sm text-muted">
              <span className="md:hidden">{t.schedules.last}: </span>
              {schedule.last_fired ? <Time at={schedule.last_fired} /> : t.common.never}
              {schedule.skipped > 0 && ` · ${t.schedules.skipped(schedule.skipped)}`}
            </span>
          ),
        },
        {
          head: t.common.actions,
          className: 'md:text-right',
          cell: (schedule) => writes && <Button onClick={() => change.mutate({ id: schedule.id, enabled: !schedule.enabled })}>{schedule.enabled ? t.schedules.pause : t.schedules.start}</Button>,
        },
      ]}
    />
  );
}
