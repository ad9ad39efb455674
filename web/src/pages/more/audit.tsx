import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { Download } from 'lucide-react';
import { useState } from 'react';
import { api, ask, type Schemas } from '@/api/client';
import { useNames } from '@/api/members';
import { scope, useSession } from '@/app/session';
import { t } from '@/i18n/en';
import { SearchBox } from '@/pages/workflows/list';
import { Button, buttonClass } from '@/ui/button';
import { Dialog } from '@/ui/dialog';
import { count, shortId } from '@/ui/format';
import { JsonView } from '@/ui/json-view';
import { Page } from '@/ui/page';
import { Empty, Loading, ProblemView } from '@/ui/states';
import { Badge, Status } from '@/ui/status';
import { Table } from '@/ui/table';
import { Time } from '@/ui/time';

const OUTCOMES = ['success', 'failure', 'refused', 'dry_run'] as const;

const ID = /^[0-9a-f]{8}-[0-9a-f-]{27}$/;

/** The kind, and which one: its name, or the end of its id. */
function resourceOf({ resource_type: type, resource_id: id }: Schemas['AuditRecord']): string {
  return id ? `${type} ${ID.test(id) ? shortId(id) : id}` : type;
}

export function AuditPage() {
  const search = useSearch({ from: '/inside/audit' });
  const navigate = useNavigate({ from: '/audit' });
  const superuser = useSession((state) => state.me?.is_superuser ?? false);
  const [shown, setShown] = useState<Schemas['AuditRecord'] | null>(null);
  const set = (change: Partial<typeof search>) => void navigate({ search: (before) => ({ ...before, ...change }), replace: true });
  const outcome = OUTCOMES.find((one) => one === search.outcome);
  const since = isSince(search.since) ? search.since : '';
  // To the minute, so that the same choice is the same question.
  const [begin] = useState(() => Math.floor(Date.now() / 60_000) * 60_000);
  const filter = {
    ...(search.q ? { q: search.q } : {}),
    ...(outcome ? { outcome } : {}),
    ...(since ? { since: new Date(begin - Number.parseInt(since, 10) * 86_400_000).toISOString() } : {}),
  };
  const nameOf = useNames();
  const list = useInfiniteQuery({
    queryKey: [scope(), 'audit', search],
    queryFn: ({ pageParam, signal }) =>
      ask(
        api.GET('/api/audit', {
          params: { query: { limit: 50, ...filter, ...(pageParam ? { cursor: pageParam } : {}) } },
          signal,
        }),
      ),
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor,
  });
  const items = list.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <Page title={t.audit.title}>
      {superuser && <Chain />}
      <div role="search" className="flex flex-wrap items-center gap-2">
        <SearchBox value={search.q ?? ''} onChange={(q) => set({ q: q || undefined })} label={t.audit.search} />
        <select aria-label={t.audit.outcome} className="input w-auto!" value={search.outcome ?? ''} onChange={(event) => set({ outcome: event.target.value || undefined })}>
          <option value="">{t.common.all}</option>
          {OUTCOMES.map((one) => (
            <option key={one} value={one}>
              {t.audit.outcomes[one]}
            </option>
          ))}
        </select>
        <select aria-label={t.audit.since} className="input w-auto!" value={since} onChange={(event) => set({ since: event.target.value || undefined })}>
          {(Object.keys(t.audit.sinces) as Since[]).map((one) => (
            <option key={one} value={one}>
              {t.audit.sinces[one]}
            </option>
          ))}
        </select>
        {(['csv', 'json'] as const).map((format) => (
          <a key={format} className={buttonClass()} download href={`/api/audit/export?${new URLSearchParams({ ...filter, format, organization_id: scope() })}`}>
            <Download className="size-4" aria-hidden="true" />
            <span className="sr-only">{t.audit.exported} </span>
            {format.toUpperCase()}
          </a>
        ))}
      </div>
      {list.isPending && <Loading />}
      {list.error && <ProblemView error={list.error} retry={() => void list.refetch()} />}
      {list.data && items.length === 0 && !list.hasNextPage && <Empty title={t.audit.empty}>{t.audit.emptyHelp}</Empty>}
      {items.length > 0 && (
        <Table
          caption={t.audit.title}
          rows={items}
          id={(record) => record.id}
          columns={[
            {
              head: t.audit.action,
              cell: (record) => (
                <button type="button" className="min-h-6 text-left font-mono text-sm hover:underline" onClick={() => setShown(record)}>
                  {record.action}
                </button>
              ),
            },
            { head: t.audit.outcome, cell: (record) => <Badge tone={record.outcome === 'success' ? 'ok' : record.outcome === 'dry_run' ? 'idle' : 'fail'}>{t.audit.outcomes[record.outcome]}</Badge> },
            { head: t.audit.actor, cell: (record) => <span className="text-sm">{(record.user_id && nameOf(record.user_id)) ?? t.audit.actors[record.actor]}</span> },
            { head: t.audit.resource, cell: (record) => <span className="text-sm break-all text-muted">{resourceOf(record)}</span> },
            { head: t.audit.time, cell: (record) => <Time at={record.time} className="text-sm whitespace-nowrap text-muted" /> },
          ]}
        />
      )}
      {list.hasNextPage && (
        <Button className="self-center" busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
          {t.common.more}
        </Button>
      )}
      {shown && (
        <Dialog open onClose={() => setShown(null)} title={shown.action} wide>
          <div className="pb-4">
            <JsonView value={shown} label={shown.action} />
          </div>
        </Dialog>
      )}
    </Page>
  );
}

type Since = keyof typeof t.audit.sinces;
const isSince = (text: string | undefined): text is Since => text !== undefined && text in t.audit.sinces;

/** Verification reads the whole chain, so it is asked for, and what came of it stays while one looks elsewhere. */
function Chain() {
  const chain = useQuery({ queryKey: ['audit', 'verify'], queryFn: () => ask(api.GET('/api/audit/verify')), enabled: false, gcTime: Infinity });
  return (
    <div className="panel flex flex-wrap items-center gap-3 px-3 py-2">
      <output className="min-w-0 flex-1">
        {chain.data ? (
          chain.data.valid ? (
            <Status status="completed" word={t.audit.unbroken(count(chain.data.records))} />
          ) : (
            <Status status="faulted" word={t.audit.broken(count(chain.data.problem?.sequence ?? 0), chain.data.problem?.detail ?? '')} className="whitespace-normal!" />
          )
        ) : (
          <span className="text-muted">{t.audit.chain}</span>
        )}
      </output>
      {chain.data && <Time at={new Date(chain.dataUpdatedAt).toISOString()} className="text-sm text-muted" />}
      {chain.error && <ProblemView error={chain.error} />}
      <Button busy={chain.isFetching} onClick={() => void chain.refetch()}>
        {t.audit.verify}
      </Button>
    </div>
  );
}
