import { useQuery } from '@tanstack/react-query';
import { Link, useRouter, useSearch } from '@tanstack/react-router';
import { api, ask } from '@/api/client';
import { t } from '@/i18n/en';
import { buttonClass } from '@/ui/button';
import { FormProblem } from '@/ui/states';
import { Card } from './frame';
import { LoginForm } from './login-form';
import { providerProblem } from './provider-problem';

export function LoginPage() {
  const router = useRouter();
  // The error: what a sign-in at a provider came to, as a code that stands in the address.
  const { to, error } = useSearch({ from: '/outside/login' });
  const providers = useQuery({ queryKey: ['providers'], queryFn: () => ask(api.GET('/api/auth/providers')), staleTime: Infinity });
  const done = () => {
    // Only addresses of this page: what comes from a link must not lead elsewhere.
    const target = to?.startsWith('/') && !to.startsWith('//') && !to.startsWith('/\\') ? to : '/';
    router.history.push(target);
  };
  return (
    <Card
      title={t.auth.signInTitle}
      foot={
        <>
          {t.auth.noAccount}{' '}
          <Link to="/register" className="link">
            {t.auth.register}
          </Link>
        </>
      }
    >
      {error && <FormProblem error={new Error(providerProblem(error))} />}
      <LoginForm done={done} />
      <Link to="/forgot-password" className="link self-start text-sm">
        {t.auth.forgot}
      </Link>
      {(providers.data?.items.length ?? 0) > 0 && (
        <>
          <p className="flex items-center gap-3 text-xs text-muted before:h-px before:flex-1 before:bg-line after:h-px after:flex-1 after:bg-line">{t.auth.or}</p>
          {providers.data?.items.map((provider) => (
            <a key={provider.name} href={provider.login} className={buttonClass()}>
              {t.auth.signInWith(provider.name)}
            </a>
          ))}
        </>
      )}
    </Card>
  );
}
