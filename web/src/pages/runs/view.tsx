import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { type ReactNode, Suspense, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { runApprovalsQuery } from '@/api/approvals';
import type { Schemas } from '@/api/client';
import { runQuery } from '@/api/runs';
import { versionGraphQuery } from '@/api/workflows';
import { graphStore } from '@/graph/store';
import { t } from '@/i18n/en';
import { useFollow } from '@/live/use-follow';
import { ButtonLink } from '@/ui/button';
import { cx } from '@/ui/cx';
import { readable } from '@/ui/format';
import { JsonView } from '@/ui/json-view';
import { PageTitle } from '@/ui/page';
import { part } from '@/ui/part';
import { Loading, ProblemView } from '@/ui/states';
import { Badge, Status } from '@/ui/status';
import { Time, Took, useNow } from '@/ui/time';
import { RunActions } from './actions';
import { PlannedOnly } from './planned';
import { readingOf } from './reading';
import { useRunKeys } from './run-keys';
import { TaskPanel } from './task-panel';
import { keeping, keyOf, statesOf } from './tasks';
import { Timeline } from './timeline-view';
import { RunValue } from './values';
import { type TaskNews, type Words, withTasks, withWords } from './with-task';

const AgentView = part(() => import('./agent-view'));
const LogsView = part(() => import('./logs-view'));
const Remedies = part(() => import('./remedies'));
const Graph = part(async () => ({ default: (await import('@/graph/graph')).Graph }));

const OVER = ['completed', 'faulted', 'cancelled'];
const VIEWS = ['graph', 'timeline', 'data', 'logs', 'agent', 'remedies'] as const;

/** The run as the server has it, brought up to date by what it tells: at once in small, then with all data. */
function useLiveRun(id: string) {
  const queries = useQueryClient();
  const query = useQuery(runQuery(id));
  const over = query.data ? OVER.includes(query.data.status) : false;
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const { refetch } = query;
  // All of a long run, or of large values, is more to read, so it is asked for less often: most of the time is for what one looks at.
  const tasks = query.data?.tasks.length ?? 0;
  const reading = useRef(0);
  const soon = useCallback(() => {
    timer.current ??= setTimeout(
      () => {
        timer.current = undefined;
        const began = performance.now();
        void refetch().then(() => {
          reading.current = performance.now() - began;
        });
      },
      Math.min(10_000, Math.max(Math.min(3000, 400 + 5 * tasks), 4 * reading.current)),
    );
  }, [refetch, tasks]);
  // However many changes come, the page is made anew ten times a second at most.
  const told = useRef<TaskNews[]>([]);
  const pace = useRef<ReturnType<typeof setTimeout>>(undefined);
  // What models say while they say it; their records come later.
  const words = useRef<Record<string, string>>({});
  const [speech, setSpeech] = useState<Record<string, string>>({});
  const show = useCallback(() => {
    pace.current = undefined;
    setSpeech(words.current);
    const news = told.current.splice(0);
    if (news.length === 0) return;
    queries.setQueryData(runQuery(id).queryKey, (before) => before && { ...before, tasks: withTasks(before.tasks, news) });
  }, [queries, id]);
  useEffect(
    () => () => {
      clearTimeout(timer.current);
      clearTimeout(pace.current);
      timer.current = undefined;
      pace.current = undefined;
      told.current = [];
      words.current = {};
      setSpeech({});
    },
    [id],
  );
  useFollow(
    `run:${id}`,
    runQuery(id).queryKey,
    ({ event, data }) => {
      if (event === 'run.tokens') {
        words.current = withWords(words.current, data as Words);
        pace.current ??= setTimeout(show, 100);
        return;
      }
      if (event === 'run.task') {
        told.current.push(data['task'] as TaskNews);
        pace.current ??= setTimeout(show, 100);
      } else if (event === 'run.status') {
        const { status } = data as { status: Schemas['Run']['status'] };
        queries.setQueryData(runQuery(id).queryKey, (before) => before && { ...before, status });
      }
      soon();
    },
    () => void refetch(),
  );
  return { ...query, over, speech };
}

export function RunPage() {
  const { runId } = useParams({ from: '/inside/runs/$runId' });
  const search = useSearch({ from: '/inside/runs/$runId' });
  const navigate = useNavigate({ from: '/runs/$runId' });
  const run = useLiveRun(runId);
  // The drawing of the version that the run is pinned to.
  const graph = useQuery({ ...versionGraphQuery(run.data?.workflow_id ?? '', run.data?.version ?? 0), enabled: !!run.data });
  const now = useNow(run.data && !run.over ? 1000 : 0);
  const [store] = useState(graphStore);
  const tasks = useMemo(() => run.data?.tasks ?? [], [run.data]);
  useEffect(() => {
    store.setState((before) => ({ tasks: keeping(before.tasks, statesOf(tasks, now)) }));
  }, [store, tasks, now]);
  // A graph that fits on a phone is too small to be read; the rows of the timeline say the same.
  const [usual] = useState(() => (matchMedia('(width < 40rem)').matches ? 'timeline' : 'graph'));
  const view = VIEWS.find((name) => name === (search.view ?? usual)) ?? 'graph';
  const set = useCallback(
    (change: Partial<typeof search>) => void navigate({ search: (before) => ({ ...before, ...change }), replace: true }),
    [navigate],
  );
  const choose = useCallback((task: string | null) => set({ task: task ?? undefined }), [set]);
  useRunKeys(run.data, search.task ?? null, choose, view, (name) => set({ view: name === usual ? undefined : name }));
  if (run.error && !run.data) {
    return (
      <div className="flex flex-col gap-3 p-4 md:p-6">
        <PageTitle title={t.runs.one} />
        <ProblemView error={run.error} retry={() => void run.refetch()} />
      </div>
    );
  }
  const data = run.data;
  const selected = search.task ?? null;
  const chosen = selected === null ? [] : tasks.filter((task) => keyOf(task) === selected || task.reference === selected);
  return (
    <div className="flex min-h-full flex-col md:h-dvh">
      <div className="border-b border-line px-4 pt-3 pb-3 md:px-6">
        <nav aria-label={t.workflow.trail} className="text-sm text-muted">
          <Link to="/runs" className="hover:underline">
            {t.runs.title}
          </Link>
          {data && (
            <>
              {' / '}
              <Link to="/workflows/$workflowId" params={{ workflowId: data.workflow_id }} className="hover:underline">
                {data.workflow_name}
              </Link>
            </>
          )}
        </nav>
        <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
          <PageTitle title={t.runs.of(data?.workflow_name ?? '')}>{data?.workflow_name ?? t.common.loading}</PageTitle>
          {data && (
            <>
              <span aria-live="polite">
                <Status status={data.status} className="font-medium" />
              </span>
              <Badge>v{data.version}</Badge>
              {data.dry_run && <Badge>{t.runs.dry}</Badge>}
              <div className="ml-auto flex flex-wrap gap-2 max-sm:ml-0 max-sm:basis-full">
                <RunActions run={data} from={chosen[0] ?? null} refresh={() => void run.refetch()} />
              </div>
            </>
          )}
        </div>
        {data && (
          <p className="mt-1 flex flex-wrap items-center gap-x-3 text-sm text-muted">
            <span>
              {t.runs.started} <Time at={data.started_at ?? data.created_at} />
            </span>
            <span>
              {run.over ? t.runs.took : t.runs.runningFor} <Took start={data.started_at} end={data.ended_at} />
            </span>
            <span>{t.runs.trigger(triggerWord(data.trigger))}</span>
            {data.ending && !run.over && <span className="text-wait">{t.runs.ends(t.status[data.ending].toLowerCase())}</span>}
            {data.waiting_reason && <span className="text-wait">{t.runs.waits(readable(data.waiting_reason))}</span>}
          </p>
        )}
      </div>
      {data && !run.over && <Asked run={data} />}
      {data && <PlannedOnly run={data} choose={choose} />}
      <div className="flex gap-4 overflow-x-auto border-b border-line px-4 md:px-6" role="group" aria-label={t.runs.views}>
        {VIEWS.filter((name) => (name !== 'agent' || tasks.some((task) => task.type === 'model')) && (name !== 'remedies' || view === name || (data?.status === 'faulted' && !data.dry_run))).map((name) => (
          <button
            key={name}
            type="button"
            aria-pressed={view === name}
            onClick={() => set({ view: name === usual ? undefined : name })}
            className="-mb-px shrink-0 border-b-2 border-transparent py-2 whitespace-nowrap text-muted hover:text-fg aria-pressed:border-accent aria-pressed:text-fg"
          >
            {t.runs.view[name]}
          </button>
        ))}
      </div>
      {!data ? (
        <div className="p-4">
          <Loading rows={8} />
        </div>
      ) : (
        <div className="flex min-h-0 flex-1 flex-col lg:flex-row">
          <div className={cx('min-w-0 flex-1', view === 'graph' ? 'h-[60dvh] max-lg:flex-none lg:h-auto' : 'overflow-y-auto')}>
            {view === 'graph' &&
              (graph.data ? (
                <Suspense fallback={<div className="p-4"><Loading /></div>}>
                  <Graph graph={graph.data} store={store} selected={selected?.split('#')[0] ?? null} onSelect={choose} label={t.runs.graphLabel} />
                </Suspense>
              ) : (
                <div className="p-4">{graph.isPending ? <Loading /> : graph.error ? <ProblemView error={graph.error} /> : <p className="text-muted">{t.runs.noGraph}</p>}</div>
              ))}
            {view === 'timeline' && <Timeline run={data} now={now} selected={selected} choose={choose} />}
            {view === 'logs' && (
              <Suspense fallback={<div className="p-4"><Loading /></div>}>
                <LogsView run={data} choose={choose} />
              </Suspense>
            )}
            {view === 'agent' && (
              <Suspense fallback={<div className="p-4"><Loading /></div>}>
                <AgentView run={data} speech={run.speech} reading={readingOf(search.read)} read={(read) => set({ read })} />
              </Suspense>
            )}
            {view === 'remedies' && (
              <Suspense fallback={<div className="p-4"><Loading /></div>}>
                <Remedies run={data} />
              </Suspense>
            )}
            {view === 'data' && (
              <div className="flex flex-col gap-4 p-4 md:px-6">
                <Value title={t.runs.input}>
                  <RunValue run={data} of="input" label={t.runs.input} />
                </Value>
                {data.error || data.left_out?.error ? (
                  <Value title={t.runs.error}>
                    <RunValue run={data} of="error" label={t.runs.error} />
                  </Value>
                ) : (
                  <Value title={t.runs.output}>
                    <RunValue run={data} of="output" label={t.runs.output} />
                  </Value>
                )}
                <Value title={t.runs.triggerTitle}>
                  <JsonView value={data.trigger} label={t.runs.triggerTitle} />
                </Value>
              </div>
            )}
          </div>
          {selected !== null && <TaskPanel tasks={chosen} name={graph.data?.nodes.find((node) => node.id === selected.split('#')[0])?.name ?? selected} run={data} close={() => choose(null)} choose={choose} />}
        </div>
      )}
    </div>
  );
}

/** What the run asks people now; the place to decide is one click away. */
function Asked({ run }: { run: Schemas['Run'] }) {
  const asked = useQuery(runApprovalsQuery(run.id));
  const queries = useQueryClient();
  const stale = () => void queries.invalidateQueries({ queryKey: runApprovalsQuery(run.id).queryKey });
  // Of its tasks, dozens a second, the run's own view takes care.
  useFollow(`run:${run.id}`, runApprovalsQuery(run.id).queryKey, ({ event }) => event === 'approval.status' && stale(), stale);
  const open = asked.data?.items ?? [];
  if (open.length === 0) return null;
  return (
    <ul className="border-b border-line bg-subtle px-4 py-1.5 md:px-6">
      {open.map((one) => (
        <li key={one.id} className="flex flex-wrap items-center gap-x-3 gap-y-1 py-1">
          <Status status="waiting" word={t.approvals.asks} />
          <span className="min-w-0 flex-1 font-medium break-words">{one.title}</span>
          <ButtonLink to="/approvals/$approvalId" params={{ approvalId: one.id }} kind={one.can_decide ? 'primary' : 'plain'}>
            {t.approvals.look}
          </ButtonLink>
        </li>
      ))}
    </ul>
  );
}

function Value({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="flex flex-col gap-1.5">
      <h2 className="font-medium">{title}</h2>
      {children}
    </section>
  );
}

function triggerWord(trigger: unknown): string {
  const type = (trigger as { type?: unknown } | null)?.type;
  return typeof type === 'string' ? type : '';
}
