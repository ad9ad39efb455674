// What pages ask the server about functions.
import { queryOptions } from '@tanstack/react-query';
import { scope } from '@/app/session';
import { api, ask, type Schemas } from './client';

export type Plugin = Schemas['Plugin'];
export type Effect = Plugin['effects'][number];

export function pluginsQuery() {
  return queryOptions({ queryKey: [scope(), 'plugins'], queryFn: () => ask(api.GET('/api/plugins')), staleTime: 300_000 });
}

/** What a function that users have written may reach, as the capabilities of a workflow; nothing of one that the program brings. */
export function permissionsOf(item: Plugin): Schemas['Capabilities'] | undefined {
  return item.permissions as Schemas['Capabilities'] | undefined;
}
