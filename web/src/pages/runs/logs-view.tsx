// What all tasks of a run wrote, in the order in which they wrote it.
import { useDeferredValue, useMemo, useState } from 'react';
import type { Schemas } from '@/api/client';
import { t } from '@/i18n/en';
import { Button } from '@/ui/button';
import { cx } from '@/ui/cx';
import { clockTime, count } from '@/ui/format';
import { Empty } from '@/ui/states';
import { keyOf } from './tasks';
import { LEVELS, linesOf, matching } from './lines';

const FIRST = 500;
const TONE: Record<string, string> = { error: 'text-fail', warning: 'text-wait' };

export default function LogsView({ run, choose }: { run: Schemas['Run']; choose: (task: string) => void }) {
  const [level, setLevel] = useState('');
  const [text, setText] = useState('');
  const [shown, setShown] = useState(FIRST);
  const wanted = useDeferredValue(text.trim().toLowerCase());
  const lines = useMemo(() => linesOf(run.tasks), [run.tasks]);
  const found = useMemo(() => matching(lines, level, wanted), [lines, level, wanted]);
  if (lines.length === 0) {
    return (
      <div className="p-4 md:px-6">
        <Empty title={t.logs.empty}>{t.logs.emptyHelp}</Empty>
      </div>
    );
  }
  // The newest are what one looks for; what is older comes on demand.
  const visible = found.slice(Math.max(0, found.length - shown));
  return (
    <div className="flex flex-col gap-3 p-4 md:px-6">
      <div role="search" className="flex flex-wrap items-center gap-2">
        <input type="search" className="input max-w-md flex-1" aria-label={t.logs.search} placeholder={t.logs.search} value={text} onChange={(event) => setText(event.target.value)} />
        <select aria-label={t.logs.level} className="input w-auto!" value={level} onChange={(event) => setLevel(event.target.value)}>
          <option value="">{t.logs.any}</option>
          {LEVELS.map((one) => (
            <option key={one} value={one}>
              {t.logs.levels[one]}
            </option>
          ))}
        </select>
        <span className="text-sm text-muted" aria-live="polite">
          {t.logs.found(count(found.length), count(lines.length))}
        </span>
      </div>
      {found.length > visible.length && (
        <Button className="self-start" onClick={() => setShown(shown + 2000)}>
          {t.logs.older(count(found.length - visible.length))}
        </Button>
      )}
      {visible.length > 0 && (
        <ol tabIndex={0} aria-label={t.runs.view.logs} className="panel overflow-x-auto py-1 font-mono text-xs">
          {visible.map(({ task, line, at }) => (
            <li key={at} className="flex items-start gap-3 px-3 py-0.5 hover:bg-subtle max-sm:flex-wrap max-sm:gap-y-0">
              <span className="shrink-0 leading-6 text-muted tabular-nums">{line.at ? clockTime(line.at) : ''}</span>
              <button type="button" className="link min-h-6 w-40 shrink-0 truncate text-left max-sm:w-auto" title={task.reference} onClick={() => choose(keyOf(task))}>
                {task.name}
              </button>
              <span className={cx('min-w-0 flex-1 leading-6 break-words whitespace-pre-wrap max-sm:basis-full', TONE[line.level])}>
                {TONE[line.level] && <span className="sr-only">{line.level}: </span>}
                {line.text}
              </span>
            </li>
          ))}
        </ol>
      )}
    </div>
  );
}
