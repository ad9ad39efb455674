import { useMutation, useQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, ask } from '@/api/client';
import { chooseOrganization, loadMe } from '@/app/session';
import { t } from '@/i18n/en';
import { Button, ButtonLink } from '@/ui/button';
import { FormProblem, Loading } from '@/ui/states';
import { Card, linkToken } from './frame';
import { LoginForm } from './login-form';
import { PersonForm } from './register';

export function InvitationPage() {
  const navigate = useNavigate();
  const [token] = useState(linkToken);
  const [known, setKnown] = useState(false);
  const preview = useQuery({
    queryKey: ['invitation', token],
    queryFn: () => ask(api.POST('/api/invitations/preview', { body: { token } })),
    enabled: token !== '',
    retry: false,
    staleTime: Infinity,
  });
  const me = useQuery({ queryKey: ['invited'], queryFn: () => loadMe().catch(() => null), retry: false });
  const accept = useMutation({
    mutationFn: () => ask(api.POST('/api/invitations/accept', { body: { token } })),
    onSuccess: async (organization) => {
      await loadMe();
      chooseOrganization(organization.id);
      await navigate({ to: '/', replace: true });
    },
  });
  const title = t.auth.invitationTitle;
  if (!token) {
    return (
      <Card title={title} help={t.auth.linkBroken} foot={<Link to="/login" className="link">{t.auth.toSignIn}</Link>}>
        {null}
      </Card>
    );
  }
  if (preview.isPending || me.isPending) {
    return (
      <Card title={title}>
        <Loading rows={2} />
      </Card>
    );
  }
  if (preview.error) {
    return (
      <Card title={title}>
        <FormProblem error={preview.error} />
      </Card>
    );
  }
  const help = t.auth.invitation(preview.data.organization, t.team.roles[preview.data.role].toLowerCase());
  if (me.data) {
    return (
      <Card title={title} help={help} foot={me.data.email}>
        <FormProblem error={accept.error} />
        <Button kind="primary" busy={accept.isPending} onClick={() => accept.mutate()}>
          {t.auth.accept}
        </Button>
        <ButtonLink to="/workflows">{t.auth.decline}</ButtonLink>
      </Card>
    );
  }
  return (
    <Card
      title={title}
      help={help}
      foot={
        <button type="button" className="link" onClick={() => setKnown(!known)}>
          {known ? t.auth.register : t.auth.haveAccount}
        </button>
      }
    >
      {known ? (
        <LoginForm done={() => void me.refetch()} />
      ) : (
        <PersonForm
          email={preview.data.email}
          send={async (person) => {
            await ask(api.POST('/api/auth/register', { body: { ...person, invitation: token } }));
            // Into the organization that one was invited to, not the one that comes with each account.
            const { items } = await ask(api.GET('/api/organizations', { params: { query: { limit: 200 } } }));
            const joined = items.find((one) => one.name === preview.data.organization && one.role === preview.data.role);
            if (joined) chooseOrganization(joined.id);
            await loadMe();
          }}
          done={() => void navigate({ to: '/', replace: true })}
          button={t.auth.accept}
        />
      )}
      <Link to="/login" className="sr-only">
        {t.auth.signIn}
      </Link>
    </Card>
  );
}
