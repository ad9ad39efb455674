// Values of a run that were left out of it because they are large: read alone, part by part, where one looks.
import { useQueries, useQuery } from '@tanstack/react-query';
import { api, ask, type Schemas } from '@/api/client';
import { scope } from '@/app/session';
import { JsonView, type Source } from '@/ui/json-view';
import { Absent } from '@/ui/json-rows';
import { keyOf, type TaskRun } from './tasks';

type Run = Schemas['Run'];
type Of = 'input' | 'output' | 'error';
/** As much as the server keeps of one value. */
const ALL = 64 << 20;

/** Where the value of a task stands among those of other rounds of it. */
function place(run: Run, task: TaskRun | null): { task?: string; iteration?: string; nth?: number } {
  if (!task) return {};
  const same = run.tasks.filter((one) => keyOf(one) === keyOf(task));
  const nth = same.findIndex((one) => one.started_at === task.started_at);
  return { task: task.reference, ...(task.iteration.length > 0 ? { iteration: task.iteration.join(',') } : {}), nth: Math.max(0, nth) };
}

function read(run: Run, task: TaskRun | null, of: Of, query: { pointer?: string; offset?: number; max_value?: number }) {
  return ask(api.GET('/api/runs/{run_id}/value', { params: { path: { run_id: run.id }, query: { of, ...place(run, task), ...query } } }));
}

export async function wholeValue(run: Run, task: TaskRun | null, of: Of): Promise<unknown> {
  const owner = task ?? run;
  return owner.left_out?.[of] === undefined ? owner[of] : (await read(run, task, of, { max_value: ALL })).value;
}

const valueOf = (one: Schemas['RunValueMember']): unknown => ('value' in one ? one.value : new Absent(one.kind as Absent['kind'], one.size, one.bytes));

const membersOf = (part: Schemas['RunValue'], offset: number) => (part.members ?? []).map((one, at): [string, unknown] => [one.name ?? String(offset + at), valueOf(one)]);

function sourceOf(run: Run, task: TaskRun | null, of: Of): Source {
  return {
    members: async (pointer, offset) => membersOf(await read(run, task, of, { pointer, offset, max_value: 0 }), offset),
    text: async (pointer) => String((await read(run, task, of, { pointer, max_value: ALL })).value),
    all: () => wholeValue(run, task, of),
    root: async () => {
      const part = await read(run, task, of, { max_value: 0 });
      return { value: valueOf(part), members: membersOf(part, 0) };
    },
  };
}

/** One value of the run, or of a task: as it is, or, where it was left out, opened by and by. */
export function RunValue({ run, task = null, of, label }: { run: Run; task?: TaskRun | null; of: Of; label: string }) {
  const owner = task ?? run;
  const size = owner.left_out?.[of];
  if (size === undefined) return <JsonView value={owner[of]} label={label} />;
  return <JsonView key={`${task ? `${keyOf(task)} ${task.attempt} ${task.ended_at}` : ''} ${of}`} size={size} source={sourceOf(run, task, of)} label={label} />;
}

/** So many are read one by one; the server goes through all that happened in a run that has ended for each of them. */
const MOST_ALONE = 8;

/** The tasks with what was left out of those of them that are to be read whole. */
export function useWhole(run: Run, wanted: (task: TaskRun) => boolean): TaskRun[] {
  const missing = run.tasks.flatMap((task) => (task.left_out && wanted(task) ? (['input', 'output'] as const).filter((of) => task.left_out?.[of] !== undefined).map((of) => ({ task, of })) : []));
  const together = run.ended_at !== null && missing.length > MOST_ALONE;
  const whole = useQuery({
    queryKey: [scope(), 'runs', 'whole', run.id, run.ended_at],
    staleTime: Infinity,
    enabled: together,
    queryFn: () => ask(api.GET('/api/runs/{run_id}', { params: { path: { run_id: run.id } } })),
  });
  const values = useQueries({
    queries: (together ? [] : missing).map(({ task, of }) => ({
      queryKey: [scope(), 'runs', 'value', run.id, keyOf(task), task.attempt, task.started_at, of],
      staleTime: Infinity,
      queryFn: () => wholeValue(run, task, of),
    })),
  });
  if (missing.length === 0) return run.tasks;
  if (together) {
    const all = new Map(whole.data?.tasks.map((task) => [`${keyOf(task)} ${task.started_at}`, task]));
    return run.tasks.map((task) => (task.left_out && wanted(task) ? (all.get(`${keyOf(task)} ${task.started_at}`) ?? task) : task));
  }
  const found = new Map<TaskRun, Partial<TaskRun>>();
  for (const [at, { task, of }] of missing.entries()) found.set(task, { ...found.get(task), [of]: values[at]?.data ?? null });
  return run.tasks.map((task) => ({ ...task, ...found.get(task) }));
}
