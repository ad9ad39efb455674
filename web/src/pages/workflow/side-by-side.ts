import type { Schemas } from '@/api/client';

export type Line = { number: number; text: string; kind: string } | null;

/** Lines that were replaced stand beside what replaced them. */
export function sideBySide(hunk: Schemas['DiffHunk']): [Line, Line][] {
  const rows: [Line, Line][] = [];
  let [old, now] = [hunk.old_start, hunk.new_start];
  let open: { removed: Line[]; added: Line[] } = { removed: [], added: [] };
  const flush = () => {
    for (let at = 0; at < Math.max(open.removed.length, open.added.length); at += 1) rows.push([open.removed[at] ?? null, open.added[at] ?? null]);
    open = { removed: [], added: [] };
  };
  for (const line of hunk.lines) {
    if (line.kind === 'removed') open.removed.push({ number: old++, text: line.text, kind: line.kind });
    else if (line.kind === 'added') open.added.push({ number: now++, text: line.text, kind: line.kind });
    else {
      flush();
      rows.push([
        { number: old++, text: line.text, kind: line.kind },
        { number: now++, text: line.text, kind: line.kind },
      ]);
    }
  }
  flush();
  return rows;
}
