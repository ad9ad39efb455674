import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { Plus, Search } from 'lucide-react';
import { Suspense, useDeferredValue, useEffect, useRef, useState } from 'react';
import type { Schemas } from '@/api/client';
import { newestRunsQuery } from '@/api/newest-runs';
import { workflowsQuery } from '@/api/workflows';
import { usePeek } from '@/app/peek';
import { scope, useMay } from '@/app/session';
import { t } from '@/i18n/en';
import { useFollow } from '@/live/use-follow';
import { Button, ButtonLink } from '@/ui/button';
import { cx } from '@/ui/cx';
import { Page } from '@/ui/page';
import { layer } from '@/ui/part';
import { RunStrip } from '@/ui/run-strip';
import { Empty, Loading, ProblemView } from '@/ui/states';
import { Badge, Status } from '@/ui/status';
import { Time } from '@/ui/time';

const WorkflowPeek = layer(() => import('./peek'));

const SORTS = [
  { value: 'updated', label: t.workflows.sortUpdated },
  { value: 'created', label: t.workflows.sortCreated },
  { value: 'name', label: t.workflows.sortName },
];

/** Last runs are asked for again where a workflow has run, each at most once a second, however many runs it has. */
function useFreshStrips() {
  const queries = useQueryClient();
  const ran = useRef(new Set<string>());
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  useFollow(
    'runs',
    [scope(), 'runs', 'of'],
    ({ data }) => {
      const { workflow_id: id } = data as { workflow_id: string };
      ran.current.add(id);
      timer.current ??= setTimeout(() => {
        timer.current = undefined;
        for (const one of ran.current) void queries.invalidateQueries({ queryKey: [scope(), 'runs', 'of', one] });
        ran.current.clear();
      }, 1000);
    },
    () => void queries.invalidateQueries({ queryKey: [scope(), 'runs', 'of'] }),
  );
}

export function WorkflowsPage() {
  const search = useSearch({ from: '/inside/workflows' });
  const navigate = useNavigate({ from: '/workflows' });
  const writes = useMay('member');
  const list = useInfiniteQuery(workflowsQuery(search));
  useFreshStrips();
  const set = (change: Partial<typeof search>) => void navigate({ search: (before) => ({ ...before, ...change }), replace: true });
  // Rows are made bit by bit: what came does not hold up a touch.
  const data = useDeferredValue(list.data);
  const items = data?.pages.flatMap((page) => page.items) ?? [];
  const filtered = !!(search.q || search.active);
  const peek = usePeek();
  const peeked = items.find((item) => item.id === peek.at);
  return (
    <Page
      title={t.workflows.title}
      actions={
        writes && (
          <ButtonLink kind="primary" to="/workflows/new">
            <Plus className="size-4" aria-hidden="true" />
            {t.workflows.new}
          </ButtonLink>
        )
      }
    >
      <div role="search" className="flex flex-wrap items-center gap-2">
        <SearchBox value={search.q ?? ''} onChange={(q) => set({ q: q || undefined })} label={t.workflows.search} />
        <select aria-label={t.workflows.filter} className="input w-auto!" value={search.active ?? ''} onChange={(event) => set({ active: event.target.value || undefined })}>
          <option value="">{t.common.all}</option>
          <option value="true">{t.workflows.active}</option>
          <option value="false">{t.workflows.inactive}</option>
        </select>
        <select aria-label={t.workflows.sort} className="input w-auto!" value={search.sort ?? 'updated'} onChange={(event) => set({ sort: event.target.value })}>
          {SORTS.map((sort) => (
            <option key={sort.value} value={sort.value}>
              {sort.label}
            </option>
          ))}
        </select>
      </div>
      {(list.isPending || (list.data && !data)) && <Loading rows={8} height={52} />}
      {list.error && <ProblemView error={list.error} retry={() => void list.refetch()} />}
      {data && items.length === 0 && !filtered && <Empty title={t.workflows.empty} action={writes && <ButtonLink to="/workflows/new">{t.workflows.new}</ButtonLink>}>{t.workflows.emptyHelp}</Empty>}
      {data && items.length === 0 && filtered && (
        <Empty title={t.workflows.noMatch} action={<Button onClick={() => set({ q: undefined, active: undefined })}>{t.workflows.clear}</Button>}>
          {t.workflows.noMatchHelp}
        </Empty>
      )}
      {items.length > 0 && <Table items={items} />}
      {peeked && (
        <Suspense>
          <WorkflowPeek workflow={peeked} close={peek.close} />
        </Suspense>
      )}
      {list.hasNextPage && (
        <Button className="self-center" busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
          {t.common.more}
        </Button>
      )}
    </Page>
  );
}

/** Writes what is typed into the address when the hand rests. */
export function SearchBox({ value, onChange, label }: { value: string; onChange: (text: string) => void; label: string }) {
  const [text, setText] = useState(value);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const [known, setKnown] = useState(value);
  const [sent, setSent] = useState(value);
  // What comes back from the address later than one has typed on is one's own, and old.
  if (known !== value) {
    setKnown(value);
    if (value !== sent) {
      setSent(value);
      setText(value);
    }
  }
  useEffect(() => () => clearTimeout(timer.current), []);
  return (
    <div className="relative min-w-48 flex-1 max-sm:basis-full">
      <Search className="pointer-events-none absolute top-1/2 left-2.5 size-4 -translate-y-1/2 text-muted" aria-hidden="true" />
      <input
        type="search"
        className="input pl-8!"
        aria-label={label}
        placeholder={label}
        value={text}
        onChange={(event) => {
          const now = event.target.value;
          setText(now);
          clearTimeout(timer.current);
          // Who has gone on to another page meanwhile is not called back by what comes late.
          const { pathname } = location;
          timer.current = setTimeout(() => {
            if (location.pathname !== pathname) return;
            setSent(now.trim());
            onChange(now.trim());
          }, 200);
        }}
      />
    </div>
  );
}

function Table({ items }: { items: Schemas['Workflow'][] }) {
  return (
    <div className="panel overflow-hidden">
      <table className="w-full text-left max-md:block">
        <thead className="border-b border-line bg-subtle text-xs text-muted max-md:sr-only">
          <tr>
            <th className="px-3 py-2 font-medium">{t.workflows.name}</th>
            <th className="px-3 py-2 font-medium">{t.workflows.triggers}</th>
            <th className="px-3 py-2 font-medium">{t.workflows.lastRuns}</th>
            <th className="px-3 py-2 font-medium">{t.workflows.lastRun}</th>
            <th className="px-3 py-2 font-medium">{t.workflows.changed}</th>
          </tr>
        </thead>
        <tbody className="max-md:block">
          {items.map((workflow) => (
            <Row key={workflow.id} workflow={workflow} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

const CELL = 'px-3 md:py-2 max-md:py-0.5';

function Row({ workflow }: { workflow: Schemas['Workflow'] }) {
  const runs = useQuery(newestRunsQuery(workflow.id));
  const last = runs.data?.[0];
  return (
    <tr data-row={workflow.id} className="border-b border-line last:border-0 hover:bg-subtle max-md:grid max-md:grid-cols-[minmax(0,1fr)_auto] max-md:items-center max-md:py-2">
      <th scope="row" className={cx(CELL, 'min-w-0 font-normal md:w-2/5 md:max-w-0 md:min-w-56')}>
        <div className="flex items-center gap-2">
          <Link to="/workflows/$workflowId" params={{ workflowId: workflow.id }} className="truncate font-medium hover:underline">
            {workflow.name}
          </Link>
          {!workflow.is_active && <Badge>{t.workflows.inactive}</Badge>}
        </div>
        {workflow.description && <p className="truncate text-sm text-muted">{workflow.description}</p>}
      </th>
      <td className={CELL}>
        <div className="flex flex-wrap gap-1 max-md:justify-end">
          {workflow.triggers.map((trigger, at) => (
            <Badge key={`${trigger.type}-${at}`}>{t.workflows[trigger.type]}</Badge>
          ))}
          {workflow.triggers.length === 0 && <span className="text-sm text-muted">{t.workflows.manual}</span>}
        </div>
      </td>
      <td className={CELL}>{runs.data ? <RunStrip runs={runs.data} /> : <div className="h-6 w-[120px]" />}</td>
      <td className={cx(CELL, 'md:whitespace-nowrap max-md:text-right')}>
        {last ? (
          <span className="flex items-center gap-x-2 whitespace-nowrap max-md:flex-col max-md:items-end">
            <Link to="/runs/$runId" params={{ runId: last.id }} className="hover:underline">
              <Status status={last.status} />
            </Link>
            <Time at={last.created_at} className="text-sm text-muted" />
          </span>
        ) : (
          <span className="text-sm text-muted">{runs.data ? t.workflows.noRuns : ''}</span>
        )}
      </td>
      <td className={cx(CELL, 'text-sm whitespace-nowrap text-muted max-md:hidden')}>
        <Time at={workflow.updated_at} /> · v{workflow.version}
      </td>
    </tr>
  );
}
