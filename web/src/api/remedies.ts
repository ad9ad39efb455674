// What pages ask the server about remedies for runs that failed.
import { queryOptions } from '@tanstack/react-query';
import { scope } from '@/app/session';
import { api, ask, type Schemas } from './client';

export type Remedy = Schemas['Remedy'];
const unsettled = (remedy: Remedy) => (remedy.status === 'proposed' && remedy.approval_id === null) || remedy.status === 'applying' || (remedy.status === 'applied' && remedy.outcome === null);

const remediesKey = () => [scope(), 'remedies'];

/** Of one run, the newest first; asked for again while something is on its way. */
export function runRemediesQuery(run: string) {
  return queryOptions({
    queryKey: [...remediesKey(), 'run', run],
    queryFn: () => ask(api.GET('/api/llm/remedies', { params: { query: { run_id: run } } })),
    refetchInterval: (query) => (query.state.data?.items.some(unsettled) ? 1000 : query.state.data?.items.some((one) => one.status === 'proposed') ? 5000 : false),
  });
}

export function remedyQuery(id: string) {
  return queryOptions({
    queryKey: [...remediesKey(), 'one', id],
    queryFn: () => ask(api.GET('/api/llm/remedies/{remedy_id}', { params: { path: { remedy_id: id } } })),
    refetchInterval: (query) => (query.state.data && unsettled(query.state.data) ? 1000 : false),
  });
}

export function propose(run: string): Promise<Schemas['HealReply']> {
  return ask(api.POST('/api/llm/heal', { body: { run_id: run } }));
}
