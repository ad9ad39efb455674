// What pages ask the server about functions.
import { queryOptions } from '@tanstack/react-query';
import { scope } from '@/app/session';
import { api, ask, type Schemas } from './client';

export type Plugin = Schemas['Plugin'];
export type Effect = Plugin['effects'][number];

export function pluginsQuery() {
  return queryOptions({ queryKey: [scope(), 'plugins'], queryFn: () => ask(api.GET('/api/plugins')), staleTime: 300_000 });
}
