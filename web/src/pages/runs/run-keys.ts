// Keys of a run's page.
import { useNavigate } from '@tanstack/react-router';
import { api, ask, type Schemas } from '@/api/client';
import { usePageKeys } from '@/app/keys';
import { toast } from '@/ui/toast';
import { asTree, keyOf, stepFrom } from './tasks';

type Run = Schemas['Run'];
/** Pages of newer runs that are looked through for the next one. */
const PAGES = 20;

async function olderRun(run: Run): Promise<string | undefined> {
  const page = await ask(api.GET('/api/runs', { params: { query: { workflow_id: run.workflow_id, cursor: run.id, limit: 1 } } }));
  return page.items[0]?.id;
}

/** The list begins with the newest: the next one of this run is the last before it. */
async function newerRun(run: Run): Promise<string | undefined> {
  let last: string | undefined;
  let cursor: string | null = null;
  for (let page = 0; page < PAGES; page += 1) {
    const found: Schemas['RunPage'] = await ask(api.GET('/api/runs', { params: { query: { workflow_id: run.workflow_id, limit: 200, ...(run.created_at ? { since: run.created_at } : {}), ...(cursor ? { cursor } : {}) } } }));
    last = found.items.findLast((one) => one.id > run.id)?.id ?? last;
    cursor = found.next_cursor;
    if (!cursor) break;
  }
  return last;
}

export function useRunKeys(run: Run | undefined, chosen: string | null, choose: (task: string | null) => void, view: string, show: (view: 'data' | 'timeline' | 'logs') => void): void {
  const navigate = useNavigate();
  const rows = () => asTree((run?.tasks ?? []).filter((task) => task.started_at));
  const step = (by: 1 | -1) => {
    const next = stepFrom(rows().map(keyOf), chosen, by);
    if (next !== null) choose(next);
  };
  const go = (find: (from: Run) => Promise<string | undefined>) => {
    if (!run) return;
    find(run)
      .then((id) => {
        if (id !== undefined) void navigate({ to: '/runs/$runId', params: { runId: id }, search: (before: object) => ({ ...before, task: undefined }) });
      })
      .catch(toast.failed);
  };
  usePageKeys({
    j: () => step(1),
    k: () => step(-1),
    e: () => {
      const tasks = rows();
      const next = stepFrom(tasks.map(keyOf), chosen, 1, (key) => tasks.some((task) => keyOf(task) === key && (task.status === 'faulted' || task.status === 'retrying')));
      if (next !== null) choose(next);
    },
    i: () => show('data'),
    l: () => show('logs'),
    // Of an agent's trace `t` is a reading.
    t: view !== 'agent' && (() => show('timeline')),
    '[': () => go(olderRun),
    ']': () => go(newerRun),
  });
}
