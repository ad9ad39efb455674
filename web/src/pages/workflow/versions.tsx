import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { RotateCcw } from 'lucide-react';
import { Suspense, useState } from 'react';
import { api, ask, type Schemas } from '@/api/client';
import { workflowQuery } from '@/api/workflows';
import { scope, useMay } from '@/app/session';
import { t } from '@/i18n/en';
import { Button } from '@/ui/button';
import { cx } from '@/ui/cx';
import { Dialog } from '@/ui/dialog';
import { part } from '@/ui/part';
import { FormProblem, Loading, ProblemView } from '@/ui/states';
import { Badge } from '@/ui/status';
import { Tabs } from '@/ui/tabs';
import { Time } from '@/ui/time';
import { toast } from '@/ui/toast';
import { ReachChange } from './reach';
import { type Line, sideBySide } from './side-by-side';

const TaskChanges = part(() => import('./task-changes'));

export function VersionsPage() {
  const { workflowId } = useParams({ from: '/inside/workflows/$workflowId/versions' });
  const search = useSearch({ from: '/inside/workflows/$workflowId/versions' });
  const navigate = useNavigate();
  const writes = useMay('member');
  const [back, setBack] = useState<number | null>(null);
  const workflow = useQuery(workflowQuery(workflowId));
  const versions = useInfiniteQuery({
    queryKey: [scope(), 'workflows', 'versions', workflowId],
    queryFn: ({ pageParam }) =>
      ask(
        api.GET('/api/workflows/{workflow_id}/versions', {
          params: { path: { workflow_id: workflowId }, query: { limit: 50, ...(pageParam ? { cursor: pageParam } : {}) } },
        }),
      ),
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor,
  });
  if (versions.isPending) return <div className="p-4"><Loading /></div>;
  if (versions.error) return <div className="p-4"><ProblemView error={versions.error} retry={() => void versions.refetch()} /></div>;
  const items = versions.data.pages.flatMap((page) => page.items);
  const current = workflow.data?.version ?? items[0]?.version ?? 1;
  const to = Number(search.to ?? current);
  const from = Number(search.from ?? items.find((item) => item.version < to)?.version ?? to);
  const choose = (version: number) => {
    const older = items.find((item) => item.version < version)?.version ?? version;
    void navigate({ to: '/workflows/$workflowId/versions', params: { workflowId }, search: { to: String(version), from: String(older), view: search.view }, replace: true });
  };
  return (
    <div className="flex flex-col md:h-full md:flex-row">
      <ol aria-label={t.versions.list} className="shrink-0 overflow-y-auto border-line md:h-full md:w-80 md:border-r">
        {items.map((item) => (
          <li key={item.version} className={cx('border-b border-line', item.version === to && 'bg-subtle')}>
            <div className="flex items-start gap-2 px-4 py-2.5">
              <button type="button" aria-pressed={item.version === to} onClick={() => choose(item.version)} className="min-w-0 flex-1 text-left">
                <span className="flex items-center gap-2 font-medium">
                  v{item.version}
                  {item.version === current && <Badge tone="ok">{t.versions.current}</Badge>}
                </span>
                <span className="block truncate text-sm">{item.change_summary || t.versions.noSummary}</span>
                <Time at={item.created_at} className="text-xs text-muted" />
              </button>
              {writes && item.version !== current && (
                <Button onClick={() => setBack(item.version)} aria-label={t.versions.rollBackTo(item.version)}>
                  <RotateCcw className="size-4" aria-hidden="true" />
                  {t.versions.rollBack}
                </Button>
              )}
            </div>
          </li>
        ))}
        {versions.hasNextPage && (
          <li className="p-3">
            <Button onClick={() => void versions.fetchNextPage()}>{t.common.more}</Button>
          </li>
        )}
      </ol>
      <div className="min-w-0 flex-1 overflow-y-auto p-4 md:h-full">
        {from === to ? (
          <p className="text-muted">{t.versions.only}</p>
        ) : (
          <Diff workflowId={workflowId} from={from} to={to} view={search.view === 'tasks' ? 'tasks' : 'text'} show={(view) => void navigate({ to: '.', search: { ...search, view: view === 'text' ? undefined : view }, replace: true })} />
        )}
      </div>
      {back !== null && workflow.data && <RollBack workflow={workflow.data} version={back} close={() => setBack(null)} />}
    </div>
  );
}

type View = keyof typeof t.versions.view;

function Diff({ workflowId, from, to, view, show }: { workflowId: string; from: number; to: number; view: View; show: (view: View) => void }) {
  const diff = useQuery({
    queryKey: [scope(), 'workflows', 'diff', workflowId, from, to],
    queryFn: () => ask(api.GET('/api/workflows/{workflow_id}/versions/{version}/diff/{other}', { params: { path: { workflow_id: workflowId, version: from, other: String(to) } } })),
    staleTime: Infinity,
  });
  if (diff.isPending) return <Loading />;
  if (diff.error) return <ProblemView error={diff.error} retry={() => void diff.refetch()} />;
  const { hunks, tasks, triggers, capabilities } = diff.data;
  return (
    <div className="flex flex-col gap-3">
      <h2 className="text-lg font-semibold">{t.versions.compare(from, to)}</h2>
      <Tabs label={t.versions.views} names={t.versions.view} current={view} choose={show} />
      {view === 'tasks' && (
        <Suspense fallback={<Loading />}>
          <TaskChanges workflowId={workflowId} from={from} to={to} tasks={tasks} />
        </Suspense>
      )}
      {view === 'text' && tasks.length > 0 && (
        <ul aria-label={t.versions.tasks} className="flex flex-wrap gap-1.5">
          {tasks.map((task, at) => (
            <li key={at}>
              <Badge tone={task.change === 'added' ? 'ok' : task.change === 'removed' ? 'fail' : 'run'}>
                {t.versions.changes[task.change]}: {task.path}
              </Badge>
            </li>
          ))}
        </ul>
      )}
      <ReachChange change={capabilities} />
      {triggers.map((one) => (
        <p key={one.type} className="panel px-3 py-2 text-sm">
          <span className="font-medium">{t.reach.trigger(one.type)}</span>{' '}
          <span className="font-mono break-all text-muted">
            {one.before === null ? t.reach.none : JSON.stringify(one.before)} → {one.after === null ? t.reach.none : JSON.stringify(one.after)}
          </span>
        </p>
      ))}
      {view === 'text' && hunks.length === 0 && <p className="text-muted">{t.versions.same}</p>}
      {view === 'text' && hunks.map((hunk, at) => <Hunk key={at} hunk={hunk} />)}
    </div>
  );
}

function Hunk({ hunk }: { hunk: Schemas['DiffHunk'] }) {
  return (
    <section aria-label={t.versions.place(hunk.old_start)} tabIndex={0} className="panel overflow-x-auto">
      <table className="w-full table-fixed font-mono text-sm max-md:block md:min-w-[640px]">
        <caption className="sr-only">{t.versions.place(hunk.old_start)}</caption>
        <tbody className="max-md:block">
          {sideBySide(hunk).map(([left, right], at) => (
            <tr key={at} className="max-md:block">
              <Cell line={left} twice={left?.kind === 'context'} />
              <Cell line={right} />
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** On a phone old and new stand below each other, and what is in both (`twice`) once. */
function Cell({ line, twice = false }: { line: Line; twice?: boolean }) {
  const changed = line && line.kind !== 'context';
  return (
    <td className={cx('relative border-l-2 pr-2 pl-12 align-top break-words whitespace-pre-wrap', line && !twice ? 'max-md:block' : 'max-md:hidden', changed ? (line.kind === 'added' ? 'border-fill-ok bg-subtle' : 'border-fill-fail bg-subtle') : 'border-transparent')}>
      {line && (
        <>
          <span className="absolute left-2 w-8 text-right text-muted select-none">{line.number}</span>
          <span className={cx(changed && (line.kind === 'added' ? 'text-ok' : 'text-fail'))}>
            {changed && <span className="sr-only">{line.kind === 'added' ? t.versions.added : t.versions.removed}</span>}
            {line.text}
          </span>
        </>
      )}
    </td>
  );
}

function RollBack({ workflow, version, close }: { workflow: Schemas['Workflow']; version: number; close: () => void }) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const roll = useMutation({
    mutationFn: () => ask(api.POST('/api/workflows/{workflow_id}/rollback', { params: { path: { workflow_id: workflow.id } }, body: { version, expected_version: workflow.version } })),
    onSuccess: async (now) => {
      toast.done(t.versions.rolledBack(version, now.version));
      await queries.invalidateQueries({ queryKey: [scope(), 'workflows'] });
      await navigate({ to: '/workflows/$workflowId/versions', params: { workflowId: workflow.id }, search: {}, replace: true });
      close();
    },
  });
  return (
    <Dialog
      open
      onClose={close}
      title={t.versions.rollBackTo(version)}
      description={t.versions.rollBackHelp(workflow.version + 1, version)}
      footer={
        <>
          <Button onClick={close}>{t.common.cancel}</Button>
          <Button kind="primary" busy={roll.isPending} onClick={() => roll.mutate()}>
            {t.versions.rollBack}
          </Button>
        </>
      }
    >
      <FormProblem error={roll.error} />
    </Dialog>
  );
}
