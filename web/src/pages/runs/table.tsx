import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { memo, type MouseEvent, Suspense, useCallback, useDeferredValue, useMemo, useRef, useState } from 'react';
import type { Schemas } from '@/api/client';
import { type RunFilter, runsQuery } from '@/api/runs';
import { focusedRow, usePageKeys } from '@/app/keys';
import { usePeek } from '@/app/peek';
import { scope, useMay } from '@/app/session';
import { t } from '@/i18n/en';
import { useFollow } from '@/live/use-follow';
import { Button, ButtonLink } from '@/ui/button';
import { readable, shortId } from '@/ui/format';
import { layer, part } from '@/ui/part';
import { useRowsInView, useVeil } from '@/ui/rows-in-view';
import { Empty, Loading, ProblemView } from '@/ui/states';
import { Badge, Status } from '@/ui/status';
import { cx } from '@/ui/cx';
import { Time, Took } from '@/ui/time';

const PickedRuns = part(async () => ({ default: (await import('./picked')).PickedRuns }));
const RunPeek = layer(() => import('./peek'));

/** As `h-14`. */
const ROW = 56;

/** Rows that are there change as they happen; new ones are announced and come when they are asked for, so that nothing moves under a hand. */
export function RunList({ filter, clear, ofOne = false }: { filter: RunFilter; clear?: () => void; ofOne?: boolean }) {
  const queries = useQueryClient();
  const list = useInfiniteQuery(runsQuery(filter));
  const [fresh, setFresh] = useState<ReadonlySet<string>>(new Set());
  // Rows are made bit by bit: what came does not hold up a touch.
  const known = useDeferredValue(list.data);
  const items = useMemo(() => known?.pages.flatMap((page) => page.items) ?? [], [known]);
  const may = useMay('member');
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set());
  // What left the list with another filter is not acted on unseen.
  const chosen = items.filter((item) => picked.has(item.id));
  const pick = useCallback((id: string) => {
    setPicked((before) => {
      const now = new Set(before);
      if (!now.delete(id)) now.add(id);
      return now;
    });
  }, []);
  const pickFocused = () => {
    const id = focusedRow()?.dataset['row'];
    if (id) pick(id);
    return id !== undefined;
  };
  usePageKeys({ x: may && pickFocused, escape: chosen.length > 0 && (() => setPicked(new Set())) });
  // After the keys of the choice: Escape closes what lies over it first.
  const peek = usePeek();
  const peeked = items.find((item) => item.id === peek.at);
  const reload = () => {
    setFresh(new Set());
    void queries.invalidateQueries({ queryKey: [scope(), 'runs', 'list'] });
  };
  useFollow(
    filter.workflow ? `workflow:${filter.workflow}` : 'runs',
    [scope(), 'runs', 'list'],
    ({ event, data }) => {
      if (event !== 'run.status') return;
      const { run_id: id, status } = data as { run_id: string; status: Schemas['RunItem']['status'] };
      if (!items.some((item) => item.id === id)) {
        if (items.length === 0) reload();
        else setFresh((before) => new Set(before).add(id));
        return;
      }
      queries.setQueryData(runsQuery(filter).queryKey, (before) =>
        before && {
          ...before,
          pages: before.pages.map((page) => ({
            ...page,
            items: page.items.map((item) =>
              item.id === id ? { ...item, status, ended_at: ['completed', 'faulted', 'cancelled'].includes(status) ? new Date().toISOString() : item.ended_at } : item,
            ),
          })),
        },
      );
    },
    reload,
  );
  if (list.isPending || (list.data && !known)) return <Loading rows={8} height={ROW} />;
  if (list.error) return <ProblemView error={list.error} retry={() => void list.refetch()} />;
  // Some of them may have come with the last look at the list.
  const unseen = [...fresh].filter((id) => !items.some((item) => item.id === id)).length;
  const filtered = !!(filter.q || filter.status || filter.since || (filter.workflow && !ofOne));
  if (items.length === 0) {
    return filtered ? (
      <Empty title={t.runs.noMatch} action={clear && <Button onClick={clear}>{t.workflows.clear}</Button>}>
        {t.workflows.noMatchHelp}
      </Empty>
    ) : (
      <Empty title={t.workflows.noRuns} action={!ofOne && <ButtonLink to="/workflows">{t.nav.workflows}</ButtonLink>}>
        {t.runs.emptyHelp}
      </Empty>
    );
  }
  return (
    <div className="flex flex-col gap-3">
      <div aria-live="polite" className="empty:hidden">
        {unseen > 0 && (
          <Button onClick={reload} className="w-full">
            {t.runs.fresh(unseen)}
          </Button>
        )}
      </div>
      <Rows items={items} ofOne={ofOne} picked={picked} pick={may ? pick : null} choosing={chosen.length > 0} />
      {list.hasNextPage && (
        <Button className="self-center" busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
          {t.common.more}
        </Button>
      )}
      {peeked && (
        <Suspense>
          <RunPeek id={peeked.id} name={peeked.workflow_name} close={peek.close} />
        </Suspense>
      )}
      {chosen.length > 0 && (
        <Suspense>
          <PickedRuns runs={chosen} listed={items.length} all={() => setPicked(new Set(items.map((item) => item.id)))} none={() => setPicked(new Set())} done={reload} />
        </Suspense>
      )}
    </div>
  );
}

type Pick = ((id: string) => void) | null;

function Rows({ items, ofOne, picked, pick, choosing }: { items: Schemas['RunItem'][]; ofOne: boolean; picked: ReadonlySet<string>; pick: Pick; choosing: boolean }) {
  const place = useRef<HTMLUListElement>(null);
  const navigate = useNavigate();
  const follow = (event: MouseEvent) => {
    const id = event.target instanceof Element ? event.target.closest('a')?.dataset['run'] : undefined;
    if (!id || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    void navigate({ to: '/runs/$runId', params: { runId: id } });
  };
  const { from, to } = useRowsInView(place, items.length, ROW);
  const veil = useVeil();
  return (
    <div className="relative">
      {/* One listener instead of a router's link in each row: rows come and go by the hundred while one scrolls. */}
      {/* oxlint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/no-noninteractive-element-interactions -- links do the work, this only spares a reload */}
      <ul ref={place} aria-label={t.runs.title} className="panel overflow-hidden" style={{ height: items.length * ROW + 2, paddingTop: from * ROW }} onClick={follow}>
        {items.slice(from, to).map((run) => (
          <Row key={run.id} run={run} ofOne={ofOne} picked={picked.has(run.id)} pick={pick} choosing={choosing} />
        ))}
      </ul>
      <div ref={veil} hidden className="absolute inset-0 [@media(hover:none)]:hidden" />
    </div>
  );
}

/**
 * Stays as it is while others come into view. No place of its own in its style: Chromium keeps each different one and goes through them all
 * for the next, so that rows would cost the more the more of them have been seen.
 */
const Row = memo(function Row({ run, ofOne, picked, pick, choosing }: { run: Schemas['RunItem']; ofOne: boolean; picked: boolean; pick: Pick; choosing: boolean }) {
  return (
    <li data-row={run.id} className={cx('run-row flex h-14 border-b border-line contain-strict', picked && 'bg-hover')}>
      {pick && (
        // It shows itself where one points, comes to it, or has begun to choose: a quiet list otherwise.
        <label className="grid w-9 shrink-0 place-items-center">
          <input type="checkbox" aria-label={t.runs.pick(run.workflow_name, shortId(run.id))} checked={picked} onChange={() => pick(run.id)} className={cx('size-4 accent-(--accent)', !choosing && 'pick')} />
        </label>
      )}
      <a href={`/runs/${run.id}`} data-run={run.id} className={cx('flex h-full min-w-0 flex-1 items-center gap-3 pr-3 max-sm:gap-2 -outline-offset-2 hover:bg-subtle', !pick && 'pl-3')}>
        <Status status={run.status} className="w-28 shrink-0 max-sm:w-[6.5rem]" />
        <span className="min-w-0 flex-1">
          <span className="flex items-center gap-2">
            <span className="truncate font-medium">{ofOne ? shortId(run.id) : run.workflow_name}</span>
            <span className="shrink-0 text-sm text-muted">v{run.version}</span>
            {run.dry_run && <Badge>{t.runs.dry}</Badge>}
          </span>
          <span className="block truncate text-sm text-muted">{run.waiting_reason ? readable(run.waiting_reason) : ofOne ? '' : shortId(run.id)}</span>
        </span>
        <Took start={run.started_at} end={run.ended_at} className="w-20 shrink-0 text-right text-sm max-sm:w-auto" />
        <Time at={run.created_at} className="w-32 shrink-0 text-right text-sm text-muted max-sm:hidden" />
      </a>
    </li>
  );
});
