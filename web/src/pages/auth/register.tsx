import { Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, ApiError, ask, type Schemas } from '@/api/client';
import { loadMe } from '@/app/session';
import { t } from '@/i18n/en';
import { Button } from '@/ui/button';
import { TextField } from '@/ui/field';
import { FormProblem } from '@/ui/states';
import { useForm } from './form';
import { Card, linkToken } from './frame';

type Person = Pick<Schemas['NewAccount'], 'email' | 'password' | 'name' | 'organization'>;

export function PersonForm<T>({ send, done, button, email, withOrganization = false }: { send: (person: Person) => Promise<T>; done: (result: T) => void; button: string; email?: string; withOrganization?: boolean }) {
  const form = useForm(({ email: address = '', password = '', name = '', organization }) => send({ email: address, password, name, ...(organization ? { organization } : {}) }), done);
  const of = (pointer: string) => (form.error instanceof ApiError ? form.error.of(pointer) : undefined);
  const inFields = of('/email') ?? of('/password') ?? of('/name');
  return (
    <form onSubmit={form.onSubmit} className="flex flex-col gap-4">
      <TextField label={t.auth.name} name="name" autoComplete="name" required error={of('/name')} />
      <TextField label={t.auth.email} name="email" type="email" autoComplete="username" defaultValue={email} readOnly={!!email} required error={of('/email')} />
      <TextField label={t.auth.password} name="password" type="password" autoComplete="new-password" hint={t.auth.passwordHint} required error={of('/password')} />
      {withOrganization && <TextField label={t.auth.organizationOptional} name="organization" autoComplete="organization" />}
      {!inFields && <FormProblem error={form.error} />}
      <Button kind="primary" type="submit" busy={form.busy}>
        {button}
      </Button>
    </form>
  );
}

export function RegisterPage() {
  const navigate = useNavigate();
  const [mailed, setMailed] = useState('');
  return (
    <Card
      title={t.auth.register}
      foot={
        <>
          {t.auth.haveAccount}{' '}
          <Link to="/login" className="link">
            {t.auth.signIn}
          </Link>
        </>
      }
    >
      {mailed ? (
        <p role="status">{mailed}</p>
      ) : (
        <PersonForm
          // Where addresses are confirmed first, nobody is signed in yet: the answer says what to do.
          send={async (body) => {
            const answer = await ask(api.POST('/api/auth/register', { body }));
            if ('message' in answer) return answer.message;
            await loadMe();
            return '';
          }}
          done={(message) => (message ? setMailed(message) : void navigate({ to: '/' }))}
          button={t.auth.register}
          withOrganization
        />
      )}
    </Card>
  );
}

export function SetupPage() {
  const navigate = useNavigate();
  const [token] = useState(linkToken);
  if (!token) return <Card title={t.auth.setupTitle} help={t.auth.linkBroken}>{null}</Card>;
  return (
    <Card title={t.auth.setupTitle} help={t.auth.setupHelp}>
      <PersonForm
        send={async ({ email, password, name }) => {
          await ask(api.POST('/api/auth/setup', { body: { token, email, password, name } }));
          await loadMe();
        }}
        done={() => void navigate({ to: '/', replace: true })}
        button={t.auth.setup}
      />
    </Card>
  );
}
