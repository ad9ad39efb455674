import { type QueryKey, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { useSession } from '@/app/session';
import { follow, type LiveEvent } from './socket';
import { whenRead } from './when-read';

/**
 * Follows a topic while the component is there. A page reads before the server listens, since that is faster; what happened in between is
 * read again once the first look at it is there, which is neither broken off nor held up by it. `about` is the key of what that is.
 */
export function useFollow(topic: string | null, about: QueryKey, onEvent: (event: LiveEvent) => void, onReset: () => void): void {
  const organization = useSession((state) => (state.me ? (state.organization ?? '') : null));
  const queries = useQueryClient();
  const latest = useRef({ about, onEvent, onReset });
  useEffect(() => {
    latest.current = { about, onEvent, onReset };
  });
  useEffect(() => {
    if (!topic || organization === null) return undefined;
    let waiting = () => {};
    const leave = follow(
      topic,
      (event) => latest.current.onEvent(event),
      (why) => {
        waiting();
        if (why === 'missed') latest.current.onReset();
        else waiting = whenRead(queries, latest.current.about, () => latest.current.onReset());
      },
    );
    return () => {
      waiting();
      leave();
    };
  }, [topic, organization, queries]);
}
