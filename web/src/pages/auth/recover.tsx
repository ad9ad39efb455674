import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { api, ask } from '@/api/client';
import { t } from '@/i18n/en';
import { Button } from '@/ui/button';
import { TextField } from '@/ui/field';
import { FormProblem, Loading } from '@/ui/states';
import { useForm } from './form';
import { Card, linkToken } from './frame';

function ToSignIn() {
  return (
    <Link to="/login" className="link">
      {t.auth.toSignIn}
    </Link>
  );
}

export function ForgotPage() {
  const form = useForm(({ email = '' }) => ask(api.POST('/api/auth/forgot-password', { body: { email } })), () => undefined);
  return (
    <Card title={t.auth.forgotTitle} help={form.data ? undefined : t.auth.forgotHelp} foot={<ToSignIn />}>
      {form.data ? (
        <p role="status">{form.data.message}</p>
      ) : (
        <form onSubmit={form.onSubmit} className="flex flex-col gap-4">
          <TextField label={t.auth.email} name="email" type="email" autoComplete="username" required />
          <FormProblem error={form.error} />
          <Button kind="primary" type="submit" busy={form.busy}>
            {t.auth.sendLink}
          </Button>
        </form>
      )}
    </Card>
  );
}

export function ResetPage() {
  const [token] = useState(linkToken);
  const form = useForm(({ password = '' }) => ask(api.POST('/api/auth/reset-password', { body: { token, new_password: password } })), () => undefined);
  if (!token) return <Card title={t.auth.resetTitle} help={t.auth.linkBroken} foot={<ToSignIn />}>{null}</Card>;
  return (
    <Card title={t.auth.resetTitle} foot={<ToSignIn />}>
      {form.data ? (
        <p role="status">{form.data.message}</p>
      ) : (
        <form onSubmit={form.onSubmit} className="flex flex-col gap-4">
          <TextField label={t.auth.newPassword} name="password" type="password" autoComplete="new-password" hint={t.auth.passwordHint} required />
          <FormProblem error={form.error} />
          <Button kind="primary" type="submit" busy={form.busy}>
            {t.auth.setPassword}
          </Button>
        </form>
      )}
    </Card>
  );
}

export function VerifyPage() {
  const [token] = useState(linkToken);
  const verified = useQuery({
    queryKey: ['verify', token],
    queryFn: () => ask(api.POST('/api/auth/verify-email', { body: { token } })),
    enabled: token !== '',
    retry: false,
    staleTime: Infinity,
  });
  if (!token) return <Card title={t.auth.verifyTitle} help={t.auth.linkBroken} foot={<ToSignIn />}>{null}</Card>;
  return (
    <Card title={t.auth.verifyTitle} foot={<ToSignIn />}>
      {verified.isPending && <Loading rows={1} />}
      {verified.data && <p role="status">{verified.data.message}</p>}
      <FormProblem error={verified.error} />
    </Card>
  );
}
