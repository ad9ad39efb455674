// What pages ask the server about workflows.
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { scope } from '@/app/session';
import type { Graph } from '@/graph/layout';
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

export function versionQuery(id: string, version: number) {
  return queryOptions({
    queryKey: [scope(), 'versions', id, version],
    staleTime: Infinity,
    queryFn: () => ask(api.GET('/api/workflows/{workflow_id}/versions/{version}', { params: { path: { workflow_id: id, version } } })),
  });
}

/** The drawing of a version as it is stored, null where it does not compile any more; and what the server has to say of it. */
export function storedQuery(id: string, version: number) {
  return queryOptions({
    queryKey: [scope(), 'graph', id, version],
    staleTime: Infinity,
    queryFn: async ({ signal }) => {
      const found = await ask(api.GET('/api/workflows/{workflow_id}/versions/{version}/graph', { params: { path: { workflow_id: id, version } }, signal }));
      return { ...found, graph: found.graph as Graph | null };
    },
  });
}

/** Only the drawing of `storedQuery`. */
export function versionGraphQuery(id: string, version: number) {
  return queryOptions({ ...storedQuery(id, version), select: (stored) => stored.graph });
}

export function workflowRunsQuery(id: string, limit: number) {
  return queryOptions({
    queryKey: [scope(), 'runs', 'of', id, limit],
    queryFn: ({ signal }) => ask(api.GET('/api/workflows/{workflow_id}/executions', { params: { path: { workflow_id: id }, query: { limit } }, signal })),
  });
}
