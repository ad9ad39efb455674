// Keys that act on every page. Single letters act outside of fields only, and not where a person has switched them off.
import { useNavigate } from '@tanstack/react-router';
import { useEffect } from 'react';
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
  return target.isContentEditable || target.closest('input, textarea, select, [role=dialog], [role=menu], [role=tree], [role=listbox]') !== null;
}

function focusSearch(): boolean {
  const found = document.querySelector<HTMLElement>('main input[type=search]');
  found?.focus();
  return found !== null;
}

export function useKeys({ palette, sheet }: { palette: () => void; sheet: () => void }): void {
  const navigate = useNavigate();
  useEffect(() => {
    let goes = 0;
    const onKey = (event: KeyboardEvent) => {
      const key = event.key.toLowerCase();
      if (key === 'k' && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey) {
        event.preventDefault();
        palette();
        return;
      }
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.repeat || !usePreferences.getState().letters || isTyping(event.target)) return;
      const second = event.timeStamp - goes < SECOND_KEY;
      goes = 0;
      const page = second ? GO[key] : undefined;
      if (page) void navigate({ to: page });
      else if (key === 'g') goes = event.timeStamp;
      else if (key === '?') sheet();
      else if (key !== '/' || !focusSearch()) return;
      event.preventDefault();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, [navigate, palette, sheet]);
}
