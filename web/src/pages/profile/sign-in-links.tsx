import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { api, ask } from '@/api/client';
import { t } from '@/i18n/en';
import { useForm } from '@/pages/auth/form';
import { providerProblem } from '@/pages/auth/provider-problem';
import { Button } from '@/ui/button';
import { Dialog } from '@/ui/dialog';
import { TextField } from '@/ui/field';
import { Section } from '@/ui/page';
import { FormProblem, Loading, ProblemView } from '@/ui/states';
import { Badge } from '@/ui/status';
import { Time } from '@/ui/time';
import { toast } from '@/ui/toast';

interface Wish {
  provider: string;
  linked: boolean;
}

/** The providers that this server knows, and which of them lead to this account. Absent where there are none of either. */
export function SignInLinks() {
  // What a provider came back with stands in the address.
  const { linked, error } = useSearch({ from: '/inside/profile' });
  const [wish, setWish] = useState<Wish | null>(null);
  const providers = useQuery({ queryKey: ['providers'], queryFn: () => ask(api.GET('/api/auth/providers')), staleTime: Infinity });
  const links = useQuery({ queryKey: ['sign-in-links'], queryFn: () => ask(api.GET('/api/auth/oauth/links')) });
  const known = links.data?.items ?? [];
  // A link outlives the settings of its provider and can still be taken away.
  const names = [...new Set([...(providers.data?.items ?? []).map((one) => one.name), ...known.map((one) => one.provider)])];
  if (names.length === 0 && !links.error) return null;
  return (
    <Section title={t.profile.links} hint={t.profile.linksHint}>
      {error && <FormProblem error={new Error(providerProblem(error))} />}
      {links.isPending && <Loading rows={1} />}
      {links.error && <ProblemView error={links.error} retry={() => void links.refetch()} />}
      {links.data && (
        <ul className="flex flex-col divide-y divide-line">
          {names.map((name) => {
            const link = known.find((one) => one.provider === name);
            return (
              <li key={name} className="flex min-w-0 flex-wrap items-center gap-x-3 gap-y-1 py-2">
                <span className="font-medium">{name}</span>
                {link && <Badge tone="ok">{linked === name ? t.profile.linkedNow : t.profile.linked}</Badge>}
                <span className="min-w-0 flex-1 truncate text-sm text-muted">
                  {link?.email} {link && <Time at={link.last_used_at} />}
                </span>
                <Button onClick={() => setWish({ provider: name, linked: !!link })}>{link ? t.profile.unlink : t.profile.link}</Button>
              </li>
            );
          })}
        </ul>
      )}
      {wish && <Proof wish={wish} close={() => setWish(null)} />}
    </Section>
  );
}

/** Both need the password: a session that somebody left open is not enough to add a way in, or to take one away. */
function Proof({ wish, close }: { wish: Wish; close: () => void }) {
  const queries = useQueryClient();
  const params = { path: { provider: wish.provider } };
  const form = useForm(
    async ({ password = '' }) => {
      if (!wish.linked) {
        const { location } = await ask(api.POST('/api/auth/oauth/links/{provider}', { params, body: { password } }));
        window.location.assign(location);
        return;
      }
      await ask(api.DELETE('/api/auth/oauth/links/{provider}', { params, body: { password } }));
      toast.done(t.profile.unlinked(wish.provider));
      await queries.invalidateQueries({ queryKey: ['sign-in-links'] });
      await queries.invalidateQueries({ queryKey: ['sessions'] });
    },
    close,
  );
  return (
    <Dialog open onClose={close} title={wish.linked ? t.profile.unlinkTitle(wish.provider) : t.profile.linkTitle(wish.provider)} description={wish.linked ? t.profile.unlinkHelp : t.profile.linkHelp}>
      <form onSubmit={form.onSubmit} className="flex flex-col gap-3 pb-3">
        <TextField label={t.auth.password} name="password" type="password" autoComplete="current-password" required />
        <FormProblem error={form.error} />
        <Button kind={wish.linked ? 'danger' : 'primary'} type="submit" busy={form.busy}>
          {wish.linked ? t.profile.unlink : t.profile.link}
        </Button>
      </form>
    </Dialog>
  );
}
