// What pages ask the server about runs.
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { scope } from '@/app/session';
import { api, ask } from './client';

export type RunFilter = { status?: string | undefined; q?: string | undefined; workflow?: string | undefined; since?: string | undefined };
const SPANS: Record<string, number> = { '1h': 3_600_000, '24h': 86_400_000, '7d': 7 * 86_400_000, '30d': 30 * 86_400_000 };

export function runsQuery(filter: RunFilter) {
  return infiniteQueryOptions({
    queryKey: [scope(), 'runs', 'list', filter],
    queryFn: ({ pageParam, signal }) => {
      const span = SPANS[filter.since ?? ''];
      return ask(
        api.GET('/api/runs', {
          params: {
            query: {
              limit: 50,
              ...(filter.status ? { status: filter.status } : {}),
              ...(filter.q ? { q: filter.q } : {}),
              ...(filter.workflow ? { workflow_id: filter.workflow } : {}),
              ...(span ? { since: new Date(Date.now() - span).toISOString() } : {}),
              ...(pageParam ? { cursor: pageParam } : {}),
            },
          },
          signal,
        }),
      );
    },
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor,
  });
}

/** Larger values are asked for where one looks at them. */
const MOST_OF_A_VALUE = 65_536;

export function runQuery(id: string) {
  return queryOptions({
    queryKey: [scope(), 'runs', 'one', id],
    queryFn: ({ signal }) => ask(api.GET('/api/runs/{run_id}', { params: { path: { run_id: id }, query: { max_value: MOST_OF_A_VALUE } }, signal })),
  });
}
