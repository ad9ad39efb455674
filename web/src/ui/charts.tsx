// Charts for a few dozen points, as elements and SVG: they scale, take the theme's colours and print. The numbers stand in a table beside each.
import { type ReactNode, useState } from 'react';
import { t } from '@/i18n/en';
import { cx } from './cx';
import { FILL, TEXT, type Tone } from './status';

export type Series = { name: string; tone: Tone; values: (number | null)[]; dash?: string };

/** The next "round" number at or above: 1, 2, 5, 10, 20, 50, ... */
export function roundUp(value: number): number {
  if (value <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((step) => step * power >= value) ?? 10) * power;
}

export function Chart({
  title,
  hint,
  summary,
  times,
  series,
  kind,
  format,
}: {
  title: string;
  hint: string;
  summary: string;
  /** The beginning of each slice, as people read it. */
  times: string[];
  series: Series[];
  kind: 'bars' | 'lines';
  format: (value: number) => string;
}) {
  const [open, setOpen] = useState(false);
  const stacked = times.map((_time, at) => series.reduce((sum, one) => sum + (one.values[at] ?? 0), 0));
  const most = kind === 'bars' ? Math.max(0, ...stacked) : Math.max(0, ...series.flatMap((one) => one.values.map((value) => value ?? 0)));
  const top = roundUp(most);
  const head = (
    <>
      <span className="font-medium">{title}</span>
      <span className="text-sm text-muted">{hint}</span>
    </>
  );
  // A scale and a legend of nothing would only be read in vain.
  if (most === 0) {
    return (
      <figure className="panel flex min-w-0 flex-col gap-2 p-4">
        <figcaption className="flex flex-wrap items-baseline gap-x-3">{head}</figcaption>
        <p className="grid grow place-items-center py-10 text-sm text-muted">{t.home.nothing}</p>
      </figure>
    );
  }
  return (
    <figure className="panel flex min-w-0 flex-col gap-2 p-4">
      <figcaption className="flex flex-wrap items-baseline gap-x-3">
        {head}
        <ul className="flex basis-full flex-wrap gap-x-3 text-sm">
          {series.map((one) => (
            <li key={one.name} className="flex items-center gap-1.5">
              {kind === 'bars' ? <span className={cx('bar size-2.5 rounded-[2px]', FILL[one.tone])} aria-hidden="true" /> : <Stroke series={one} />}
              {one.name}
            </li>
          ))}
        </ul>
      </figcaption>
      <div className="relative mt-2 mr-14 h-40" aria-hidden="true">
        {(format(top / 2) === format(top) || (kind === 'bars' && top % 2 === 1) ? [1] : [1, 0.5]).map((part) => (
          <div key={part} className="absolute inset-x-0 border-t border-line text-xs text-muted" style={{ top: `${(1 - part) * 100}%` }}>
            <span className="absolute left-full -translate-y-1/2 pl-2 whitespace-nowrap tabular-nums">{format(top * part)}</span>
          </div>
        ))}
        <div className="absolute inset-x-0 bottom-0 border-t border-strong" />
        {kind === 'bars' ? <Bars series={series} top={top} times={times} format={format} /> : <Lines series={series} top={top} />}
      </div>
      <div className="mr-14 flex justify-between text-xs text-muted" aria-hidden="true">
        <span>{times[0]}</span>
        <span>{times.at(-1)}</span>
      </div>
      <p className="sr-only">{summary}</p>
      <details className="text-sm" onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary className="w-fit cursor-pointer text-muted">{t.home.asTable}</summary>
        {open && <Numbers caption={title} times={times} series={series} format={format} />}
      </details>
    </figure>
  );
}

function Bars({ series, top, times, format }: { series: Series[]; top: number; times: string[]; format: (value: number) => string }) {
  return (
    <div className="absolute inset-0 flex items-end gap-px">
      {times.map((time, at) => (
        <div
          key={time + at}
          title={[time, ...series.filter((one) => one.values[at]).map((one) => `${format(one.values[at] ?? 0)} ${one.name.toLowerCase()}`)].join(' · ')}
          className="flex h-full min-w-0 flex-1 flex-col-reverse hover:bg-hover"
        >
          {series.map((one) => {
            const value = one.values[at] ?? 0;
            return value > 0 && <span key={one.name} className={cx('bar w-full shrink-0', FILL[one.tone])} style={{ height: `max(2px, ${(value / top) * 100}%)` }} />;
          })}
        </div>
      ))}
    </div>
  );
}

/** Stretches of points that follow one another. */
function pathOf(values: (number | null)[], top: number): string {
  const place = placesOf(values, top);
  return values
    .map((value, at) => {
      if (value === null) return '';
      const before = at > 0 ? values[at - 1] : null;
      return before === null || before === undefined ? `M${place(value, at)}` : `L${place(value, at)}`;
    })
    .join('');
}

/** Points without a neighbour: no line shows them. */
function dotsOf(values: (number | null)[], top: number): string {
  const place = placesOf(values, top);
  return values.map((value, at) => (value === null || (values[at - 1] ?? null) !== null || (values[at + 1] ?? null) !== null ? '' : `M${place(value, at)}h0.01`)).join('');
}

function placesOf(values: (number | null)[], top: number) {
  return (value: number, at: number) => `${((at + 0.5) / values.length) * 100} ${(1 - value / top) * 100}`;
}

function Lines({ series, top }: { series: Series[]; top: number }) {
  return (
    <svg viewBox="0 0 100 100" preserveAspectRatio="none" className="absolute inset-0 size-full overflow-visible">
      {series.map((one) => (
        <g key={one.name} className={TEXT[one.tone]} fill="none" stroke="currentColor" strokeLinecap="round" strokeLinejoin="round">
          <path d={pathOf(one.values, top)} strokeWidth="2" strokeDasharray={one.dash} vectorEffect="non-scaling-stroke" />
          <path d={dotsOf(one.values, top)} strokeWidth="6" vectorEffect="non-scaling-stroke" />
        </g>
      ))}
    </svg>
  );
}

function Stroke({ series }: { series: Series }): ReactNode {
  return (
    <svg viewBox="0 0 20 4" className={cx('h-1 w-5', TEXT[series.tone])} aria-hidden="true">
      <path d="M0 2h20" stroke="currentColor" strokeWidth="2" strokeDasharray={series.dash} />
    </svg>
  );
}

function Numbers({ caption, times, series, format }: { caption: string; times: string[]; series: Series[]; format: (value: number) => string }) {
  return (
    <div className="mt-2 max-h-64 overflow-auto" tabIndex={0} role="region" aria-label={caption}>
      <table className="w-full text-left">
        <caption className="sr-only">{caption}</caption>
        <thead className="text-xs text-muted">
          <tr>
            <th scope="col" className="py-1 font-medium">
              {t.home.time}
            </th>
            {series.map((one) => (
              <th key={one.name} scope="col" className="py-1 text-right font-medium">
                {one.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {times.map((time, at) => (
            <tr key={time + at} className="border-t border-line">
              <th scope="row" className="py-1 font-normal whitespace-nowrap">
                {time}
              </th>
              {series.map((one) => {
                const value = one.values[at] ?? null;
                return (
                  <td key={one.name} className="py-1 text-right">
                    {value === null ? '—' : format(value)}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
