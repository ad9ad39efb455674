// What pages ask the server about approvals.
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { scope } from '@/app/session';
import { api, ask, type Schemas } from './client';

export type Approval = Schemas['Approval'];
export const STATUSES = ['open', 'approved', 'rejected', 'expired', 'withdrawn', 'all'] as const;
export type ApprovalStatus = (typeof STATUSES)[number];

export const approvalsKey = () => [scope(), 'approvals'];

export function approvalsQuery(status: ApprovalStatus, mine: boolean) {
  return infiniteQueryOptions({
    queryKey: [...approvalsKey(), 'list', status, mine],
    queryFn: ({ pageParam }) =>
      ask(api.GET('/api/approvals', { params: { query: { limit: 50, status, ...(mine ? { mine: true } : {}), ...(pageParam ? { cursor: pageParam } : {}) } } })),
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor,
  });
}

/** Those that wait for the person who looks; at most a page of them. */
export function waitingQuery() {
  return queryOptions({
    queryKey: [...approvalsKey(), 'waiting'],
    queryFn: () => ask(api.GET('/api/approvals', { params: { query: { limit: 100, mine: true } } })),
    refetchInterval: 60_000,
  });
}

export function approvalQuery(id: string) {
  return queryOptions({ queryKey: [...approvalsKey(), 'one', id], queryFn: () => ask(api.GET('/api/approvals/{approval_id}', { params: { path: { approval_id: id } } })) });
}

/** Of one run, newest first. */
export function runApprovalsQuery(run: string) {
  return queryOptions({ queryKey: [...approvalsKey(), 'run', run], queryFn: () => ask(api.GET('/api/approvals', { params: { query: { run_id: run } } })) });
}

export async function decide(approval: Approval, approved: boolean, comment: string, data: unknown): Promise<Schemas['ApprovalDecided']> {
  const params = { path: { approval_id: approval.id } };
  const body = { digest: approval.digest, ...(comment ? { comment } : {}), ...(data === undefined ? {} : { data }) };
  return ask(approved ? api.POST('/api/approvals/{approval_id}/approve', { params, body }) : api.POST('/api/approvals/{approval_id}/reject', { params, body }));
}
