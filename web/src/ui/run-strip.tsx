import { t } from '@/i18n/en';
import { cx } from './cx';
import { between, duration } from './format';
import { FILL, statusWord, toneOf } from './status';
import { useNow } from './time';

type Run = { id: string; status: string; started_at: string | null; ended_at: string | null };

/** The last runs, the newest at the right; height says how long, colour and the text how it ended. */
export function RunStrip({ runs, of = 20 }: { runs: Run[]; of?: number }) {
  const shown = runs.slice(0, of).reverse();
  const now = useNow(0);
  const times = shown.map((run) => between(run.started_at, run.ended_at, now) ?? 0);
  const longest = Math.max(1, ...times);
  const tally = new Map<string, number>();
  for (const run of shown) tally.set(run.status, (tally.get(run.status) ?? 0) + 1);
  const said = [...tally].map(([status, number]) => `${number} ${statusWord(status).toLowerCase()}`).join(', ');
  return (
    <div role="img" aria-label={shown.length === 0 ? t.workflows.noRuns : t.workflows.strip(shown.length, said)} className="flex h-6 items-end gap-[2px]">
      {Array.from({ length: of - shown.length }, (_, at) => (
        <span key={`none-${at}`} className="h-1 w-1 rounded-[1px] bg-line" />
      ))}
      {shown.map((run, at) => (
        <span
          key={run.id}
          title={`${statusWord(run.status)} · ${duration(times[at] ?? 0)}`}
          className={cx('bar w-1 rounded-[1px]', FILL[toneOf(run.status)], run.status === 'running' && 'pulse')}
          // What has failed is to be seen, however soon it did.
          style={{ height: `${Math.round(Math.max(run.status === 'faulted' ? 14 : 0, 6 + 18 * Math.sqrt((times[at] ?? 0) / longest)))}px` }}
        />
      ))}
    </div>
  );
}

