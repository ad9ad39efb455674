import type { PointerEvent } from 'react';
import { t } from '@/i18n/en';
import { cx } from './cx';
import { between, duration } from './format';
import { statusWord, STROKE, type Tone, toneOf } from './status';
import { useNow } from './time';

type Run = { id: string; status: string; started_at: string | null; ended_at: string | null };

/** One every so many pixels. */
const EACH = 6;
const HEIGHT = 24;

/** The last runs, the newest at the right; height says how long, colour and the text how it ended. One picture: lists have fifty of them. */
export function RunStrip({ runs, of = 20 }: { runs: Run[]; of?: number }) {
  const shown = runs.slice(0, of).reverse();
  const now = useNow(0);
  const times = shown.map((run) => between(run.started_at, run.ended_at, now) ?? 0);
  const longest = Math.max(1, ...times);
  const tally = new Map<string, number>();
  const bars = new Map<Tone | 'live', string>();
  shown.forEach((run, at) => {
    tally.set(run.status, (tally.get(run.status) ?? 0) + 1);
    // What has failed is to be seen, however soon it did.
    const height = Math.round(Math.max(run.status === 'faulted' ? 14 : 0, 6 + 18 * Math.sqrt((times[at] ?? 0) / longest)));
    const kind = run.status === 'running' ? 'live' : toneOf(run.status);
    bars.set(kind, `${bars.get(kind) ?? ''}M${(of - shown.length + at) * EACH + 2} ${HEIGHT}v-${height}`);
  });
  const none = Array.from({ length: of - shown.length }, (_none, at) => `M${at * EACH + 2} ${HEIGHT}v-4`).join('');
  const said = [...tally].map(([status, number]) => `${number} ${statusWord(status).toLowerCase()}`).join(', ');
  const tell = (event: PointerEvent<SVGSVGElement>) => {
    const box = event.currentTarget.getBoundingClientRect();
    const at = Math.floor((event.clientX - box.left) / EACH) - (of - shown.length);
    const run = shown[at];
    const title = event.currentTarget.firstElementChild;
    if (title) title.textContent = run ? `${statusWord(run.status)} · ${duration(times[at] ?? 0)}` : '';
  };
  return (
    <svg role="img" aria-label={shown.length === 0 ? t.workflows.noRuns : t.workflows.strip(shown.length, said)} width={of * EACH} height={HEIGHT} fill="none" strokeWidth="4" className="bar shrink-0" onPointerMove={tell}>
      <title />
      {none && <path d={none} className="stroke-line" />}
      {[...bars].map(([kind, path]) => (
        <path key={kind} d={path} className={cx(STROKE[kind === 'live' ? 'run' : kind], kind === 'live' && 'pulse')} />
      ))}
    </svg>
  );
}
