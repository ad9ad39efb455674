import { ButtonLink } from '@/ui/button';
import { Page } from '@/ui/page';
import { Empty, ProblemView } from '@/ui/states';
import { t } from '@/i18n/en';

export function NotFound() {
  return (
    <main>
      <Page title={t.problem.notFound}>
        <Empty title={t.problem.notFoundHelp} action={<ButtonLink to="/workflows">{t.nav.workflows}</ButtonLink>} />
      </Page>
    </main>
  );
}

export function Crashed({ error, reset }: { error: unknown; reset: () => void }) {
  return (
    <main>
      <Page title={t.problem.crashed}>
        <ProblemView error={error} retry={reset} />
      </Page>
    </main>
  );
}
