// What pages ask the server about integrations.
import { queryOptions } from '@tanstack/react-query';
import { scope } from '@/app/session';
import { api, ask } from './client';

export const integrationsKey = () => [scope(), 'integrations'];

export function integrationsQuery() {
  return queryOptions({ queryKey: integrationsKey(), queryFn: () => ask(api.GET('/api/integrations')) });
}

export function connectorsQuery() {
  return queryOptions({ queryKey: ['connectors'], queryFn: () => ask(api.GET('/api/integrations/connectors')), staleTime: Infinity });
}
