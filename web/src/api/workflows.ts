// What pages ask the server about workflows.
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { scope } from '@/app/session';
import { api, ask } from './client';

export type WorkflowFilter = { q?: string | undefined; active?: string | undefined; sort?: string | undefined };

export function workflowsQuery(filter: WorkflowFilter) {
  return infiniteQueryOptions({
    queryKey: [scope(), 'workflows', 'list', filter],
    queryFn: ({ pageParam, signal }) =>
      ask(
        api.GET('/api/workflows', {
          params: {
            query: {
              limit: 50,
              include: 'last_run',
              sort: filter.sort === 'name' || filter.sort === 'created' ? filter.sort : 'updated',
              ...(filter.q ? { q: filter.q } : {}),
              ...(filter.active ? { is_active: filter.active === 'true' } : {}),
              ...(pageParam ? { cursor: pageParam } : {}),
            },
          },
          signal,
        }),
      ),
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor,
  });
}

export function workflowQuery(id: string) {
  return queryOptions({
    queryKey: [scope(), 'workflows', 'one', id],
    queryFn: () => ask(api.GET('/api/workflows/{workflow_id}', { params: { path: { workflow_id: id } } })),
  });
}

export function workflowRunsQuery(id: string, limit: number) {
  return queryOptions({
    queryKey: [scope(), 'runs', 'of', id, limit],
    queryFn: ({ signal }) => ask(api.GET('/api/workflows/{workflow_id}/executions', { params: { path: { workflow_id: id }, query: { limit } }, signal })),
  });
}
