import { useQueryClient } from '@tanstack/react-query';
import { useRouter } from '@tanstack/react-router';
import { ButtonLink } from '@/ui/button';
import { Page } from '@/ui/page';
import { Empty, ProblemView } from '@/ui/states';
import { t } from '@/i18n/en';

export function NotFoundInside() {
  return (
    <Page title={t.problem.notFound}>
      <Empty title={t.problem.notFoundHelp} action={<ButtonLink to="/">{t.problem.home}</ButtonLink>} />
    </Page>
  );
}

export function NotFound() {
  return (
    <main>
      <NotFoundInside />
    </main>
  );
}

/** A page that broke: what is around it stays and works. Trying again asks the server anew, for what came may be what broke it. */
export function Crashed({ error, reset }: { error: unknown; reset: () => void }) {
  const queries = useQueryClient();
  const router = useRouter();
  const again = () => {
    queries.removeQueries({ type: 'inactive' });
    reset();
    // The code of the page, where it is that which did not come.
    void router.invalidate();
  };
  return (
    <Page title={t.problem.crashed}>
      <ProblemView error={error} retry={again} />
    </Page>
  );
}

/** Where nothing is around it. */
export function CrashedOutside(problem: { error: unknown; reset: () => void }) {
  return (
    <main>
      <Crashed {...problem} />
    </main>
  );
}
