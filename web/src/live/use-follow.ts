import { type QueryClient, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { useSession } from '@/app/session';
import { follow, type LiveEvent } from './socket';

/** Calls back when nothing is being read any more, at most once, unless the returned function is called before. */
function whenRead(queries: QueryClient, then: () => void): () => void {
  if (queries.isFetching() === 0) {
    then();
    return () => {};
  }
  const stop = queries.getQueryCache().subscribe(() => {
    if (queries.isFetching() > 0) return;
    stop();
    then();
  });
  return stop;
}

/** A page's address may name a run that cannot be; the server would refuse such a topic, and all that are asked for with it. */
const isTopic = (topic: string) => !topic.includes(':') || /:[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(topic);

/**
 * Follows a topic while the component is there. A page reads before the server listens, since that is faster; what happened in between is
 * read again once the first look is there, which is neither broken off nor held up by it.
 */
export function useFollow(topic: string | null, onEvent: (event: LiveEvent) => void, onReset: () => void): void {
  const organization = useSession((state) => (state.me ? (state.organization ?? '') : null));
  const queries = useQueryClient();
  const latest = useRef({ onEvent, onReset });
  useEffect(() => {
    latest.current = { onEvent, onReset };
  });
  useEffect(() => {
    if (!topic || !isTopic(topic) || organization === null) return undefined;
    let waiting = () => {};
    const leave = follow(
      topic,
      (event) => latest.current.onEvent(event),
      (why) => {
        waiting();
        if (why === 'missed') latest.current.onReset();
        else waiting = whenRead(queries, () => latest.current.onReset());
      },
    );
    return () => {
      waiting();
      leave();
    };
  }, [topic, organization, queries]);
}
