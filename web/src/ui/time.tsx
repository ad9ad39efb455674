import { useEffect, useState } from 'react';
import { between, ago, duration, exactTime } from './format';

/** The present, anew every `every` milliseconds; one timer for all that ask for the same pace. */
export function useNow(every: number): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (every <= 0) return undefined;
    const timer = setInterval(() => setNow(Date.now()), every);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}

export function Time({ at, className }: { at: string | null | undefined; className?: string }) {
  const now = useNow(15_000);
  if (!at) return <span className={className}>—</span>;
  return (
    <time dateTime={at} title={`${exactTime(at)} · ${exactTime(at, true)}`} className={className}>
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
