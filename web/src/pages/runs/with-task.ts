import { keyOf, type TaskRun } from './tasks';

export type TaskNews = Partial<TaskRun> & Pick<TaskRun, 'reference' | 'iteration'>;

/** What was told of tasks, in the order in which it was told, put into what is known. */
export function withTasks(tasks: readonly TaskRun[], news: readonly TaskNews[]): TaskRun[] {
  const result = [...tasks];
  const places = new Map(tasks.map((task, at) => [keyOf(task), at]));
  for (const one of news) {
    const at = places.get(keyOf(one));
    const known = at === undefined ? undefined : result[at];
    if (at !== undefined && known) {
      result[at] = { ...known, ...one };
      continue;
    }
    places.set(keyOf(one), result.length);
    result.push({ name: '', type: '', status: 'running', attempt: 1, input: null, output: null, error: null, started_at: null, ended_at: null, logs: [], ...one });
  }
  return result;
}

export type Words = Pick<TaskRun, 'reference' | 'iteration'> & { sequence: number; kind: string; text?: string };

/** What a model has said so far, by the task that its answer will be in; who comes in the middle sees that. A call that is made again begins anew. */
export function withWords(before: Record<string, string>, words: Words): Record<string, string> {
  const key = keyOf(words);
  const known = words.sequence === 0 || words.kind === 'reset' ? '' : (before[key] ?? '… ');
  return { ...before, [key]: words.kind === 'text' ? known + (words.text ?? '') : known };
}
