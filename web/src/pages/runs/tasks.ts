// What a run's tasks come to: states of the graph's nodes, rows of the timeline.
import type { Schemas } from '@/api/client';
import type { TaskState } from '@/graph/store';

export type TaskRun = Schemas['TaskRun'];

/** The statuses that a reader should see first. */
const WEIGHT: Record<string, number> = { faulted: 5, running: 4, waiting: 3, suspended: 3, pending: 2, completed: 1 };

/** One task of the definition may run many times: in a loop, or again. */
export function statesOf(tasks: readonly TaskRun[], now: number): Record<string, TaskState> {
  const states: Record<string, TaskState> = {};
  for (const task of tasks) {
    const before = states[task.reference];
    const ms = task.started_at ? (task.ended_at ? Date.parse(task.ended_at) : now) - Date.parse(task.started_at) : null;
    if (!before) {
      states[task.reference] = { status: task.status, attempt: task.attempt, times: 1, faulted: task.status === 'faulted' ? 1 : 0, ms };
      continue;
    }
    before.times += 1;
    before.faulted += task.status === 'faulted' ? 1 : 0;
    before.attempt = Math.max(before.attempt, task.attempt);
    before.ms = ms === null ? before.ms : (before.ms ?? 0) + ms;
    if ((WEIGHT[task.status] ?? 0) > (WEIGHT[before.status] ?? 0)) before.status = task.status;
  }
  return states;
}

/** What did not change stays the same object, so that who shows it has nothing to do. */
export function keeping(before: Record<string, TaskState>, now: Record<string, TaskState>): Record<string, TaskState> {
  for (const [reference, state] of Object.entries(now)) {
    const known = before[reference];
    if (known && known.status === state.status && known.attempt === state.attempt && known.times === state.times && known.faulted === state.faulted && known.ms === state.ms) now[reference] = known;
  }
  return now;
}

export function keyOf(task: { reference: string; iteration: readonly number[] }): string {
  return task.iteration.length > 0 ? `${task.reference}#${task.iteration.join('.')}` : task.reference;
}

/**
 * Each task behind the one that it stands in, those of one list by their start: how a reader goes through what happened. Tasks of a loop
 * stand by their rounds.
 */
export function asTree(tasks: readonly TaskRun[]): TaskRun[] {
  const known = new Map(tasks.map((task) => [keyOf(task), task]));
  /** The nearest task around this one that ran: of the same round, or of the rounds around it. */
  const around = (task: TaskRun): string => {
    for (let end = task.reference.lastIndexOf('/'); end > 0; end = task.reference.lastIndexOf('/', end - 1)) {
      const reference = task.reference.slice(0, end);
      for (let depth = task.iteration.length; depth >= 0; depth -= 1) {
        const key = keyOf({ reference, iteration: task.iteration.slice(0, depth) });
        if (known.has(key)) return key;
      }
    }
    return '';
  };
  const inside = new Map<string, TaskRun[]>();
  for (const task of tasks) {
    const parent = around(task);
    const list = inside.get(parent);
    if (list) list.push(task);
    else inside.set(parent, [task]);
  }
  const result: TaskRun[] = [];
  const put = (parent: string) => {
    const list = inside.get(parent) ?? [];
    list.sort((a, b) => rounds(a, b) || Date.parse(a.started_at ?? '') - Date.parse(b.started_at ?? '') || 0);
    for (const task of list) {
      result.push(task);
      put(keyOf(task));
    }
  };
  put('');
  return result;
}

function rounds(a: TaskRun, b: TaskRun): number {
  for (let at = 0; at < Math.min(a.iteration.length, b.iteration.length); at += 1) {
    const difference = (a.iteration[at] ?? 0) - (b.iteration[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** How deep a task stands in others, of those that ran. */
export function depthOf(task: TaskRun, references: ReadonlySet<string>): number {
  let depth = 0;
  let at = task.reference.lastIndexOf('/');
  while (at > 0) {
    const above = task.reference.slice(0, at);
    if (references.has(above)) depth += 1;
    at = above.lastIndexOf('/');
  }
  return depth;
}

export type Fold = { loop: string; name: string; hidden: number };
const SHOWN_OF_LOOP = 20;

/** Rows as `asTree` gives them, with those of a long loop behind its first ones folded into one: what is wrong, goes on or is `kept` stays. */
export function folded(rows: readonly TaskRun[], open: ReadonlySet<string>, kept: string | null): (TaskRun | Fold)[] {
  const known = new Map(rows.map((task) => [keyOf(task), task]));
  /** The task whose rounds this one is in. */
  const loopOf = (task: TaskRun): TaskRun | undefined => {
    const iteration = task.iteration.slice(0, -1);
    for (let end = task.reference.lastIndexOf('/'); end > 0 && task.iteration.length > 0; end = task.reference.lastIndexOf('/', end - 1)) {
      const found = known.get(keyOf({ reference: task.reference.slice(0, end), iteration }));
      if (found) return found;
    }
    return undefined;
  };
  const seen = new Map<string, number>();
  /** By what is hidden, and by the loop that hides. */
  const folds = new Map<string, Fold>();
  const result: (TaskRun | Fold)[] = [];
  for (const task of rows) {
    const owner = loopOf(task);
    const loop = owner ? keyOf(owner) : '';
    const number = (seen.get(loop) ?? 0) + 1;
    seen.set(loop, number);
    const above = folds.get(`in ${loop}`);
    const stays = !owner || task.status !== 'completed' || keyOf(task) === kept || (!above && (number <= SHOWN_OF_LOOP || open.has(loop)));
    if (stays) {
      result.push(task);
      continue;
    }
    let fold = above ?? folds.get(loop);
    if (!fold) {
      fold = { loop, name: owner.name, hidden: 0 };
      folds.set(loop, fold);
      result.push(fold);
    }
    fold.hidden += 1;
    folds.set(`in ${keyOf(task)}`, fold);
  }
  return result;
}

/** The row to go to from the chosen one: the next or the one before, of those that `fit`; after the last comes the first. */
export function stepFrom(keys: readonly string[], chosen: string | null, step: 1 | -1, fits: (key: string) => boolean = () => true): string | null {
  const at = chosen === null ? (step > 0 ? -1 : keys.length) : keys.indexOf(chosen);
  for (let far = 1; far <= keys.length; far += 1) {
    const key = keys[(at + step * far + 2 * keys.length) % keys.length];
    if (key !== undefined && fits(key)) return key;
  }
  return null;
}

export type Refusal = { kind: 'role' | 'unasked' | 'other'; reason: string };

/** Why a destructive function only told its plan; null where it did not. The server's reason names the setting that stood in the way. */
export function refusalOf(task: { output: unknown }): Refusal | null {
  const output = task.output as { dry_run?: unknown; plan?: unknown; reason?: unknown } | null;
  if (output === null || typeof output !== 'object' || output.dry_run !== true || !Array.isArray(output.plan) || typeof output.reason !== 'string') return null;
  const { reason } = output;
  return { kind: reason.includes('destroy_role') ? 'role' : reason.includes('allow_destructive') ? 'unasked' : 'other', reason };
}
