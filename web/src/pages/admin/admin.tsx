import { useNavigate, useSearch } from '@tanstack/react-router';
import { useSession } from '@/app/session';
import { t } from '@/i18n/en';
import { Page } from '@/ui/page';
import { Empty } from '@/ui/states';
import { Tabs } from '@/ui/tabs';
import { Data } from './data';
import { Health } from './health';
import { Limits } from './limits';
import { Settings } from './settings';
import { Users } from './users';

const TABS = { users: Users, health: Health, limits: Limits, settings: Settings, data: Data };
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
      <Tabs label={t.admin.parts} names={t.admin.tabs} current={tab} choose={(name) => void navigate({ search: name === 'users' ? {} : { tab: name }, replace: true })} />
      <Part />
    </Page>
  );
}
