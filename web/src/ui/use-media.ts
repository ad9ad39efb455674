// Whether the window fits a media query; components that would only be hidden by the style sheet are not made at all.
import { useCallback, useSyncExternalStore } from 'react';

/** Of Tailwind's `md:` and `lg:`. */
export const MEDIUM = '(width >= 48rem)';
export const LARGE = '(width >= 64rem)';

export function useMedia(query: string): boolean {
  return useSyncExternalStore(
    useCallback(
      (changed: () => void) => {
        const list = matchMedia(query);
        list.addEventListener('change', changed);
        return () => list.removeEventListener('change', changed);
      },
      [query],
    ),
    () => matchMedia(query).matches,
  );
}
