// The last runs of many workflows, as lists of workflows show them: who asks within the same moment is answered by one request.
import { queryOptions } from '@tanstack/react-query';
import { scope } from '@/app/session';
import { api, ask, type Schemas } from './client';

/** The server takes no more in one request. */
const MOST = 100;

type Runs = Schemas['RunItem'][];
type Waiting = { id: string; take: (runs: Runs) => void; fail: (error: unknown) => void };

let waiting: Waiting[] = [];

async function answer(asked: Waiting[]): Promise<void> {
  try {
    const ids = [...new Set(asked.map(({ id }) => id))];
    const { workflows } = await ask(api.GET('/api/runs/newest', { params: { query: { workflow_ids: ids.join(',') } } }));
    const runs = new Map(workflows.map((one) => [one.workflow_id, one.runs]));
    for (const { id, take } of asked) take(runs.get(id) ?? []);
  } catch (error) {
    for (const { fail } of asked) fail(error);
  }
}

function send(): void {
  const asked = waiting;
  waiting = [];
  for (let at = 0; at < asked.length; at += MOST) void answer(asked.slice(at, at + MOST));
}

function newestRuns(workflow: string): Promise<Runs> {
  if (waiting.length === 0) setTimeout(send);
  return new Promise((take, fail) => {
    waiting.push({ id: workflow, take, fail });
  });
}

/** The newest runs of a workflow, at most 20. */
export function newestRunsQuery(workflow: string) {
  return queryOptions({ queryKey: [scope(), 'runs', 'of', workflow, 'newest'], queryFn: () => newestRuns(workflow) });
}
