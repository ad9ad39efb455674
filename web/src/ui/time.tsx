import { useCallback, useState, useSyncExternalStore } from 'react';
import { between, ago, duration, exactTime } from './format';

type Clock = { now: number; timer: ReturnType<typeof setInterval> | undefined; readers: Set<() => void> };
const clocks = new Map<number, Clock>();

function clockOf(every: number): Clock {
  const known = clocks.get(every);
  if (known) return known;
  const made: Clock = { now: Date.now(), timer: undefined, readers: new Set() };
  clocks.set(every, made);
  return made;
}

function tick(clock: Clock): void {
  clock.now = Date.now();
  for (const reader of clock.readers) reader();
}

function listen(every: number, reader: () => void): () => void {
  const clock = clockOf(every);
  clock.readers.add(reader);
  clock.timer ??= setInterval(() => tick(clock), every);
  return () => {
    clock.readers.delete(reader);
    if (clock.readers.size > 0) return;
    clearInterval(clock.timer);
    clock.timer = undefined;
    clocks.delete(every);
  };
}

/** The present, anew every `every` milliseconds (0: as it is now); one timer for all that ask for the same pace. */
export function useNow(every: number): number {
  const [first] = useState(() => Date.now());
  return useSyncExternalStore(
    useCallback((reader: () => void) => (every > 0 ? listen(every, reader) : () => undefined), [every]),
    () => (every > 0 ? clockOf(every).now : first),
  );
}

export function Time({ at, className }: { at: string | null | undefined; className?: string }) {
  const now = useNow(15_000);
  if (!at) return <span className={className}>—</span>;
  return (
    // The exact time is made where one asks for it: two of them for each row of a list are most of what the row costs.
    <time dateTime={at} onPointerEnter={(event) => (event.currentTarget.title = `${exactTime(at)} · ${exactTime(at, 'UTC')}`)} className={className}>
      {ago(at, now)}
    </time>
  );
}

/** How long something took, or has taken until now. */
export function Took({ start, end, className }: { start: string | null | undefined; end: string | null | undefined; className?: string }) {
  const now = useNow(end || !start ? 0 : 1000);
  const ms = between(start, end, now);
  return <span className={className}>{ms === null ? '—' : duration(ms)}</span>;
}
