import { keyOf, type TaskRun } from './tasks';

/** What was told of one task, put into what is known. */
export function withTask(tasks: readonly TaskRun[], news: Partial<TaskRun> & Pick<TaskRun, 'reference' | 'iteration'>): TaskRun[] {
  const key = keyOf(news);
  const at = tasks.findIndex((task) => keyOf(task) === key);
  const blank: TaskRun = { name: '', type: '', status: 'running', attempt: 1, input: null, output: null, error: null, started_at: null, ended_at: null, logs: [], ...news };
  if (at < 0) return [...tasks, blank];
  return tasks.map((task, index) => (index === at ? { ...task, ...news } : task));
}
