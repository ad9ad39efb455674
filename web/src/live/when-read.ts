import type { QueryClient, QueryKey } from '@tanstack/react-query';

/** Calls back when nothing under the key is being read any more, at most once, unless the returned function is called before. */
export function whenRead(queries: QueryClient, queryKey: QueryKey, then: () => void): () => void {
  if (queries.isFetching({ queryKey }) === 0) {
    then();
    return () => {};
  }
  const stop = queries.getQueryCache().subscribe(() => {
    if (queries.isFetching({ queryKey }) > 0) return;
    stop();
    then();
  });
  return stop;
}
