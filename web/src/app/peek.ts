// A look at a row of a list without going to it: the space bar opens and closes it, and the keys that lead to other rows take it along.
import { useCallback, useEffect, useState } from 'react';
import { focusedRow, usePageKeys } from './keys';

const rowOf = (target: EventTarget | null) => (target instanceof Element ? target.closest<HTMLElement>('main [data-row]')?.dataset['row'] : undefined);

/** What the row that is looked at names itself (`data-row`); null where none is. */
export function usePeek(): { at: string | null; close: () => void } {
  const [at, setAt] = useState<string | null>(null);
  const close = useCallback(() => setAt(null), []);
  const open = at !== null;
  usePageKeys({
    ' ': () => {
      const row = focusedRow()?.dataset['row'];
      if (!row) return false;
      setAt((now) => (now === row ? null : row));
      return true;
    },
    escape: open && close,
  });
  useEffect(() => {
    if (!open) return undefined;
    const follow = (event: FocusEvent) => {
      const row = rowOf(event.target);
      if (row) setAt(row);
    };
    addEventListener('focusin', follow);
    return () => removeEventListener('focusin', follow);
  }, [open]);
  return { at, close };
}
