import { useNavigate, useSearch } from '@tanstack/react-router';
import { useSession } from '@/app/session';
import { t } from '@/i18n/en';
import { Page } from '@/ui/page';
import { Empty } from '@/ui/states';
import { Data } from './data';
import { Health } from './health';
import { Users } from './users';

const TABS = { users: Users, health: Health, data: Data };
type Tab = keyof typeof TABS;

export function AdminPage() {
  const search = useSearch({ from: '/inside/admin' });
  const navigate = useNavigate({ from: '/admin' });
  const superuser = useSession((state) => state.me?.is_superuser ?? false);
  const tab = search.tab !== undefined && search.tab in TABS ? (search.tab as Tab) : 'users';
  const Part = TABS[tab];
  if (!superuser) {
    return (
      <Page title={t.admin.title}>
        <Empty title={t.admin.denied} />
      </Page>
    );
  }
  return (
    <Page title={t.admin.title}>
      <div role="group" aria-label={t.admin.parts} className="-mt-2 flex gap-4 border-b border-line">
        {(Object.keys(TABS) as Tab[]).map((name) => (
          <button
            key={name}
            type="button"
            aria-pressed={name === tab}
            onClick={() => void navigate({ search: name === 'users' ? {} : { tab: name }, replace: true })}
            className="-mb-px border-b-2 border-transparent py-2 text-muted hover:text-fg aria-pressed:border-accent aria-pressed:text-fg"
          >
            {t.admin.tabs[name]}
          </button>
        ))}
      </div>
      <Part />
    </Page>
  );
}
