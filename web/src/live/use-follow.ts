import { useEffect, useRef } from 'react';
import { useSession } from '@/app/session';
import { follow, type LiveEvent } from './socket';

/** Follows a topic while the component is there. */
export function useFollow(topic: string | null, onEvent: (event: LiveEvent) => void, onReset: () => void): void {
  const organization = useSession((state) => (state.me ? (state.organization ?? '') : null));
  const latest = useRef({ onEvent, onReset });
  useEffect(() => {
    latest.current = { onEvent, onReset };
  });
  useEffect(() => {
    if (!topic || organization === null) return undefined;
    return follow(topic, (event) => latest.current.onEvent(event), () => latest.current.onReset());
  }, [topic, organization]);
}
