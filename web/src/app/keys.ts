// Keys that act on every page. Single letters act outside of fields only, and not where a person has switched them off.
import { useNavigate } from '@tanstack/react-router';
import { useEffect, useRef } from 'react';
import type { NavItem } from './nav';
import { usePreferences } from './preferences';

/** After `g`. */
export const GO: Record<string, NavItem['to']> = {
  h: '/',
  w: '/workflows',
  r: '/runs',
  a: '/approvals',
  n: '/notifications',
  s: '/schedules',
  f: '/functions',
  i: '/integrations',
  u: '/audit',
  o: '/organization',
  p: '/profile',
};
const SECOND_KEY = 1500;

/** Where letters are text, or keys mean something of their own. */
export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || target.closest('input:not([type=checkbox]), textarea, select, [role=dialog], [role=menu], [role=tree], [role=listbox]') !== null;
}

/** What the space bar does by itself: it presses, opens and ticks what has the focus. */
const takesSpace = (target: EventTarget | null) => target instanceof HTMLElement && target.closest('button, summary, input, [role=button]') !== null;

/** The row of the list that has the focus. */
export function focusedRow(): HTMLElement | null {
  return document.activeElement?.closest<HTMLElement>('main [data-row]') ?? null;
}

/** What keys do on the page that is shown: `j`, ` `, or `Shift-R`. `false`: nothing, and the browser does with the key what it always does. */
type PageKeys = Record<string, (() => void) | (() => boolean) | false | undefined>;
const pages: { current: PageKeys }[] = [];

export function usePageKeys(keys: PageKeys): void {
  const latest = useRef(keys);
  useEffect(() => {
    latest.current = keys;
  });
  useEffect(() => {
    pages.push(latest);
    return () => void pages.splice(pages.indexOf(latest), 1);
  }, []);
}

function actsOnPage(name: string): boolean {
  for (const { current } of pages.toReversed()) {
    const act = current[name];
    if (!act) continue;
    return act() !== false;
  }
  return false;
}

/** The rows of the list that is on the page; their first link or button is what one comes to. */
function moveInList(step: 1 | -1): boolean {
  const rows = [...document.querySelectorAll<HTMLElement>('main [data-row]')].filter((row) => row.offsetParent !== null);
  const goals = rows.map((row) => (row.matches('a, button') ? row : row.querySelector<HTMLElement>('a, button')));
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const goal = goals[at < 0 ? (step > 0 ? 0 : goals.length - 1) : at + step];
  goal?.focus();
  goal?.scrollIntoView({ block: 'nearest' });
  return rows.length > 0;
}

function focusSearch(): boolean {
  const found = document.querySelector<HTMLElement>('main input[type=search]');
  found?.focus();
  return found !== null;
}

export function useKeys({ palette, sheet }: { palette: () => void; sheet: () => void }): void {
  const navigate = useNavigate();
  useEffect(() => {
    // When `g` was pressed; times count from the page's own start, so that 0 would be a `g` in its first second.
    let goes = -Infinity;
    const onKey = (event: KeyboardEvent) => {
      const key = event.key.toLowerCase();
      if (key === 'k' && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey) {
        event.preventDefault();
        palette();
        return;
      }
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.repeat || !usePreferences.getState().letters || isTyping(event.target)) return;
      if (key === ' ' && (event.shiftKey || takesSpace(event.target))) return;
      const second = event.timeStamp - goes < SECOND_KEY;
      goes = -Infinity;
      const page = second ? GO[key] : undefined;
      const name = event.shiftKey && /^[a-z]$/.test(key) ? `Shift-${key.toUpperCase()}` : key;
      const acts = () => {
        if (page) void navigate({ to: page });
        else if (key === 'g') goes = event.timeStamp;
        else if (key === '?') sheet();
        else return actsOnPage(name) || (key === '/' && focusSearch()) || ((name === 'j' || name === 'k') && moveInList(key === 'j' ? 1 : -1));
        return true;
      };
      if (acts()) event.preventDefault();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, [navigate, palette, sheet]);
}
