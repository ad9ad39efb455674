// Lines that the tasks of a run have written, as one log.
import type { TaskRun } from './tasks';

export type Line = { task: TaskRun; line: TaskRun['logs'][number]; /** Where it stands among all lines of the run. */ at: number };

/** From the most to the least serious. */
export const LEVELS = ['error', 'warning', 'info', 'debug'] as const;

/** By their times; a line without one stays behind the line of its task that it followed. */
export function linesOf(tasks: readonly TaskRun[]): Line[] {
  const lines: (Line & { time: number })[] = [];
  for (const task of tasks) {
    let time = task.started_at ? Date.parse(task.started_at) : 0;
    for (const line of task.logs) {
      if (line.at) time = Date.parse(line.at);
      lines.push({ task, line, at: 0, time });
    }
  }
  lines.sort((a, b) => a.time - b.time);
  return lines.map(({ task, line }, at) => ({ task, line, at }));
}

/** Those of this level or a more serious one (empty: all) that hold the text, which is in lower case, or are of a task called so. */
export function matching(lines: readonly Line[], level: string, text: string): Line[] {
  const least = LEVELS.findIndex((one) => one === level);
  // What has a level that is not known here is shown rather than hidden.
  const fits = ({ line }: Line) => least < 0 || LEVELS.findIndex((one) => one === line.level) <= least;
  return lines.filter((one) => fits(one) && (text === '' || one.line.text.toLowerCase().includes(text) || one.task.name.toLowerCase().includes(text)));
}
