import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { Circle, CircleCheck } from 'lucide-react';
import { type ReactNode } from 'react';
import { mark, type Notification, type NotificationKind, notificationsKey, notificationsQuery, unreadQuery } from '@/api/notifications';
import { api, ask } from '@/api/client';
import { useMay } from '@/app/session';
import { t } from '@/i18n/en';
import { Button, IconButton } from '@/ui/button';
import { cx } from '@/ui/cx';
import { Page } from '@/ui/page';
import { Empty, Loading, ProblemView } from '@/ui/states';
import { Badge, StatusShape } from '@/ui/status';
import { Tabs } from '@/ui/tabs';
import { Time } from '@/ui/time';
import { toast } from '@/ui/toast';
import { Channels } from './channels';
import { Preferences } from './preferences';

const SHAPES: Record<NotificationKind, string> = {
  'run.failed': 'faulted',
  'approval.waiting': 'waiting',
  dead_letter: 'faulted',
  'schedule.misfired': 'skipped',
  'workflow.disabled': 'cancelled',
  'member.changed': 'pending',
};
const KINDS = Object.keys(t.notifications.kinds) as NotificationKind[];
type Tab = keyof typeof t.notifications.tabs;

export function NotificationsPage() {
  const search = useSearch({ from: '/inside/notifications' });
  const navigate = useNavigate({ from: '/notifications' });
  const manages = useMay('admin');
  const { channels, ...others } = t.notifications.tabs;
  const names: Partial<Record<Tab, string>> = manages ? { ...others, channels } : others;
  const tab = search.tab !== undefined && search.tab in names ? (search.tab as Tab) : 'list';
  return (
    <Page title={t.notifications.title}>
      <Tabs label={t.notifications.parts} names={names as Record<Tab, string>} current={tab} choose={(name) => void navigate({ search: name === 'list' ? {} : { tab: name }, replace: true })} />
      {tab === 'list' ? <List /> : tab === 'preferences' ? <Preferences /> : <Channels />}
    </Page>
  );
}

function List() {
  const search = useSearch({ from: '/inside/notifications' });
  const navigate = useNavigate({ from: '/notifications' });
  const queries = useQueryClient();
  const onlyNew = search.show === 'new';
  const kind = KINDS.find((one) => one === search.kind);
  const list = useInfiniteQuery(notificationsQuery(onlyNew, kind));
  const unread = useQuery(unreadQuery());
  const stale = () => queries.invalidateQueries({ queryKey: notificationsKey() });
  const all = useMutation({ mutationFn: () => ask(api.POST('/api/notifications/read-all')), onSuccess: stale, onError: toast.failed });
  const set = (change: Partial<typeof search>) => void navigate({ search: (before) => ({ ...before, ...change }), replace: true });
  const items = list.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <>
      <div role="search" className="flex flex-wrap items-center gap-2">
        <select aria-label={t.notifications.show} className="input w-auto! max-sm:min-w-0 max-sm:flex-1" value={onlyNew ? 'new' : ''} onChange={(event) => set({ show: event.target.value || undefined })}>
          <option value="">{t.notifications.all}</option>
          <option value="new">{t.notifications.onlyNew}</option>
        </select>
        <select aria-label={t.notifications.kind} className="input w-auto! max-sm:min-w-0 max-sm:flex-1" value={kind ?? ''} onChange={(event) => set({ kind: event.target.value || undefined })}>
          <option value="">{t.notifications.anything}</option>
          {KINDS.map((one) => (
            <option key={one} value={one}>
              {t.notifications.kinds[one]}
            </option>
          ))}
        </select>
        <Button className="ml-auto" busy={all.isPending} disabled={(unread.data?.unread ?? 0) === 0} onClick={() => all.mutate()}>
          {t.notifications.markAll}
        </Button>
      </div>
      {list.isPending && <Loading rows={6} height={56} />}
      {list.error && <ProblemView error={list.error} retry={() => void list.refetch()} />}
      {list.data && items.length === 0 && <Empty title={onlyNew ? t.notifications.noneNew : t.notifications.empty}>{t.notifications.emptyHelp}</Empty>}
      {items.length > 0 && (
        <ul aria-label={t.notifications.title} className="panel divide-y divide-line">
          {items.map((one) => (
            <Row key={one.id} one={one} stale={stale} />
          ))}
        </ul>
      )}
      {list.hasNextPage && (
        <Button className="self-center" busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
          {t.common.more}
        </Button>
      )}
    </>
  );
}

function Row({ one, stale }: { one: Notification; stale: () => Promise<void> }) {
  const set = useMutation({ mutationFn: (read: boolean) => mark(one, read), onSuccess: stale, onError: toast.failed });
  const label = one.read ? t.notifications.markNew : t.notifications.markRead;
  return (
    <li data-row className="flex items-center gap-3 px-3 py-2 hover:bg-subtle">
      <StatusShape status={SHAPES[one.kind]} />
      <div className="min-w-0 flex-1">
        <p className={cx('flex flex-wrap items-center gap-x-2 break-words', !one.read && 'font-medium')}>
          <Target one={one} onOpen={() => !one.read && set.mutate(true)}>
            {one.title}
          </Target>
          {one.count > 1 && <Badge>{t.notifications.times(one.count)}</Badge>}
          {!one.read && <span className="sr-only">{t.notifications.isNew}</span>}
        </p>
        <Time at={one.updated_at} className="text-sm text-muted" />
      </div>
      <IconButton label={`${label}: ${one.title}`} disabled={set.isPending} onClick={() => set.mutate(!one.read)}>
        {one.read ? <Circle className="size-4" aria-hidden="true" /> : <CircleCheck className="size-4 text-accent" aria-hidden="true" />}
      </IconButton>
    </li>
  );
}

/** The page of what it is about: whatever id is most exact. */
function Target({ one, onOpen, children }: { one: Notification; onOpen: () => void; children: ReactNode }) {
  const data = (one.data ?? {}) as Record<string, unknown>;
  const id = (name: string) => (typeof data[name] === 'string' ? data[name] : undefined);
  const [approval, run, workflow] = [id('approval_id'), id('run_id'), id('workflow_id')];
  const look = { onClick: onOpen, className: 'hover:underline' };
  if (approval) return <Link to="/approvals/$approvalId" params={{ approvalId: approval }} {...look}>{children}</Link>;
  if (one.kind === 'dead_letter') return <Link to="/dead-letters" {...look}>{children}</Link>;
  if (run) return <Link to="/runs/$runId" params={{ runId: run }} {...look}>{children}</Link>;
  if (one.kind === 'member.changed') return <Link to="/organization" {...look}>{children}</Link>;
  if (one.kind === 'schedule.misfired') return <Link to="/schedules" {...look}>{children}</Link>;
  if (workflow) return <Link to="/workflows/$workflowId" params={{ workflowId: workflow }} {...look}>{children}</Link>;
  return <span>{children}</span>;
}
