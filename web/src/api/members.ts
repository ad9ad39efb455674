// Who is in the organization.
import { useQuery } from '@tanstack/react-query';
import { scope } from '@/app/session';
import { api, ask } from './client';

/** What the members of the organization are called; undefined for others. */
export function useNames(): (id: string) => string | undefined {
  const organization = scope();
  const members = useQuery({
    queryKey: [organization, 'members', 'names'],
    enabled: organization !== '',
    staleTime: 60_000,
    queryFn: () => ask(api.GET('/api/organizations/{org_id}/members', { params: { path: { org_id: organization }, query: { limit: 200 } } })),
  });
  const names = new Map(members.data?.items.map((member) => [member.user_id, member.name]));
  return (id) => names.get(id);
}
