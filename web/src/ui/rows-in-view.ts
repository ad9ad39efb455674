// Which rows of a long list are in the page, where all of them have one height and the window scrolls.
import { type RefObject, useEffect, useLayoutEffect, useRef, useState } from 'react';
import { flushSync } from 'react-dom';

export type Rows = { from: number; to: number };

/** Rows beyond what is seen, so that there is something to see before the next ones are made. */
const BEYOND = 12;
/** They come and go by so many at once: to make rows is work, and most frames of a scroll have none of it to do then. */
const STEP = 4;

/** Where the window's upper edge is `top` below the list's, and `room` high. */
export function rowsInView(top: number, room: number, count: number, height: number): Rows {
  const from = Math.floor((top / height - BEYOND) / STEP) * STEP;
  const to = Math.ceil(((top + room) / height + BEYOND) / STEP) * STEP;
  const within = (row: number) => Math.max(0, Math.min(count, row));
  return { from: within(from), to: within(to) };
}

export function useRowsInView(place: RefObject<HTMLElement | null>, count: number, height: number): Rows {
  const [rows, setRows] = useState(() => rowsInView(0, innerHeight, count, height));
  useLayoutEffect(() => {
    let shown: Rows | null = null;
    const look = (): Rows | null => {
      // To ask where it is has the page laid out at once; at the top of a page that is not needed.
      const top = scrollY === 0 ? 0 : -(place.current?.getBoundingClientRect().top ?? 0);
      const next = rowsInView(top, innerHeight, count, height);
      if (shown && shown.from === next.from && shown.to === next.to) return null;
      shown = next;
      return next;
    };
    // Before the picture of this scroll is made: however far one has jumped, nothing is blank.
    const onMove = () => {
      const next = look();
      if (next) flushSync(() => setRows(next));
    };
    const first = look();
    // oxlint-disable-next-line react/set-state-in-effect -- where the list begins is known once it is there
    if (first) setRows(first);
    addEventListener('scroll', onMove, { passive: true });
    addEventListener('resize', onMove);
    return () => {
      removeEventListener('scroll', onMove);
      removeEventListener('resize', onMove);
    };
  }, [place, count, height]);
  return { from: Math.min(rows.from, count), to: Math.min(rows.to, count) };
}

/** So long after the last step a scroll is over. */
const REST = 120;

/**
 * Lies over the rows while one scrolls: the pointer comes to another row at each step, and what rows show for it is a good part of what a
 * frame costs.
 */
export function useVeil(): RefObject<HTMLDivElement | null> {
  const veil = useRef<HTMLDivElement>(null);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const cover = (on: boolean) => {
      if (veil.current) veil.current.hidden = !on;
    };
    const onScroll = () => {
      if (timer === undefined) cover(true);
      clearTimeout(timer);
      timer = setTimeout(() => {
        timer = undefined;
        cover(false);
      }, REST);
    };
    addEventListener('scroll', onScroll, { passive: true });
    return () => {
      clearTimeout(timer);
      removeEventListener('scroll', onScroll);
    };
  }, []);
  return veil;
}
