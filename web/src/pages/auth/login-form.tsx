import { useState } from 'react';
import { api, ApiError, ask } from '@/api/client';
import { loadMe } from '@/app/session';
import { t } from '@/i18n/en';
import { Button } from '@/ui/button';
import { TextField } from '@/ui/field';
import { FormProblem } from '@/ui/states';
import { useForm } from './form';

export function LoginForm({ done, email }: { done: () => void; email?: string }) {
  const [code, setCode] = useState(false);
  const form = useForm(
    async (values) => {
      const { email: address = '', password = '', otp } = values;
      try {
        await ask(api.POST('/api/auth/login', { body: { email: address, password, ...(otp ? { otp } : {}) } }));
      } catch (error) {
        if (error instanceof ApiError && error.code === 'auth.otp_required') {
          setCode(true);
          return false;
        }
        throw error;
      }
      await loadMe();
      return true;
    },
    (entered) => entered && done(),
  );
  return (
    <form onSubmit={form.onSubmit} className="flex flex-col gap-4">
      <TextField label={t.auth.email} name="email" type="email" autoComplete="username" defaultValue={email} readOnly={!!email} required />
      <TextField label={t.auth.password} name="password" type="password" autoComplete="current-password" required />
      {code && <TextField label={t.auth.code} name="otp" autoComplete="one-time-code" hint={t.auth.codeHint} required autoFocus />}
      <FormProblem error={form.error} />
      <Button kind="primary" type="submit" busy={form.busy}>
        {t.auth.signIn}
      </Button>
    </form>
  );
}
