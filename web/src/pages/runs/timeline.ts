// Where the bars of a run's timeline stand. Long stretches in which nothing begins or ends are folded, so that the rest can be seen.
export type Span = { start: number; end: number };
export type Scale = { at: (time: number) => number; folds: { at: number; ms: number }[]; from: number; to: number };

/** A stretch longer than this share of the whole is shown as if it had this share of what remains. */
const FOLD = 0.6;
const FOLDED = 0.06;

export function scaleOf(spans: Span[], from: number, to: number): Scale {
  const total = Math.max(1, to - from);
  const marks = [...new Set([from, to, ...spans.flatMap((span) => [span.start, span.end])])].filter((mark) => mark >= from && mark <= to).sort((a, b) => a - b);
  const gaps = marks.slice(1).map((mark, at) => ({ start: marks[at] as number, end: mark }));
  const long = gaps.filter((gap) => gap.end - gap.start > FOLD * total && spans.length > 1);
  const short = total - long.reduce((sum, gap) => sum + gap.end - gap.start, 0);
  // All is one stretch: there is nothing to compare it with.
  if (long.length === 0 || short <= 0) return { at: (time) => clamp((time - from) / total), folds: [], from, to };
  const scale = (1 - FOLDED * long.length) / short;
  const at = (time: number) => {
    let x = 0;
    for (const gap of gaps) {
      const folded = long.includes(gap);
      const share = folded ? FOLDED : (gap.end - gap.start) * scale;
      if (time >= gap.end) x += share;
      else {
        if (time > gap.start) x += share * ((time - gap.start) / (gap.end - gap.start));
        break;
      }
    }
    return clamp(x);
  };
  return { at, folds: long.map((gap) => ({ at: at(gap.start) + FOLDED / 2, ms: gap.end - gap.start })), from, to };
}

function clamp(share: number): number {
  return Math.min(1, Math.max(0, share));
}
