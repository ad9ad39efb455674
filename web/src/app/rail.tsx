// The navigation at the side: on a phone it comes when it is asked for, and so does its code.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { Building2, ChevronsUpDown, Plus, Search, UserRound, X } from 'lucide-react';
import { Suspense, useEffect, useRef, useState } from 'react';
import { api, ask } from '@/api/client';
import { t } from '@/i18n/en';
import { IconButton } from '@/ui/button';
import { Menu, MenuChoices, MenuContent, MenuItem, MenuLine, MenuTrigger } from '@/ui/menu';
import { layer } from '@/ui/part';
import { toast } from '@/ui/toast';
import { Unread, Waiting } from './badges';
import { LiveState } from './live-state';
import { Mark } from './mark';
import { groups, type NavItem } from './nav';
import { prefer, type Theme, usePreferences } from './preferences';
import { chooseOrganization, signOut, useMay, useSession } from './session';

const NewOrganization = layer(() => import('./new-organization'));

/** As a `drawer` it lies over the page: the focus goes in, and Escape closes it. */
export default function Rail({ drawer, close, search, keys }: { drawer: boolean; close: () => void; search: () => void; keys: () => void }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (drawer) place.current?.focus();
  }, [drawer]);
  useEffect(() => {
    if (!drawer) return undefined;
    const onKey = (event: KeyboardEvent) => event.key === 'Escape' && !event.defaultPrevented && close();
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, [drawer, close]);
  return (
    <div ref={place} tabIndex={-1} className="fixed inset-y-0 left-0 z-20 flex w-60 shrink-0 flex-col border-r border-line bg-subtle md:sticky md:top-0 md:z-10 md:h-dvh md:w-52 focus-visible:outline-none">
      <div className="flex items-center gap-1 p-2">
        <Organizations />
        <IconButton label={t.common.close} className="md:hidden" onClick={close}>
          <X className="size-4" aria-hidden="true" />
        </IconButton>
      </div>
      <div className="px-2 pb-1">
        <button
          type="button"
          onClick={search}
          className="flex h-8 w-full items-center gap-2 rounded-md border border-line bg-bg px-2 text-sm text-muted hover:bg-hover"
        >
          <Search className="size-3.5" aria-hidden="true" />
          {t.common.search}
          <kbd className="ml-auto font-sans text-xs">{t.keys.palette}</kbd>
        </button>
      </div>
      <nav aria-label={t.nav.label} className="flex-1 overflow-y-auto px-2 py-2">
        {groups.map((group) => (
          <div key={group.label} className="mb-3">
            <p className="px-2 pb-1 text-xs font-medium text-muted" id={`nav-${group.label}`}>
              {group.label}
            </p>
            <ul aria-labelledby={`nav-${group.label}`}>
              {group.items.map((item) => (
                <NavLink key={item.to} item={item} onClick={close} />
              ))}
            </ul>
          </div>
        ))}
      </nav>
      <LiveState className="px-4 not-empty:py-2 max-md:hidden" />
      <div className="border-t border-line p-2">
        <Account keys={keys} />
      </div>
    </div>
  );
}

function NavLink({ item, onClick }: { item: NavItem; onClick: () => void }) {
  const superuser = useSession((state) => state.me?.is_superuser ?? false);
  const may = useMay(item.role ?? 'viewer');
  if (!may || (item.superuser && !superuser)) return null;
  const Icon = item.icon;
  return (
    <li>
      <Link
        to={item.to}
        activeOptions={{ exact: item.to === '/' || item.to === '/assistant' }}
        onClick={onClick}
        className="flex h-8 items-center gap-2 rounded-md px-2 text-fg hover:bg-hover data-[status=active]:bg-hover data-[status=active]:font-medium pointer-coarse:h-11"
      >
        <Icon className="size-4 text-muted" aria-hidden="true" />
        {item.label}
        {item.to === '/approvals' && <Waiting />}
        {item.to === '/notifications' && <Unread />}
      </Link>
    </li>
  );
}

function Organizations() {
  const current = useSession((state) => state.organization);
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [making, setMaking] = useState(false);
  const list = useQuery({ queryKey: ['organizations'], queryFn: () => ask(api.GET('/api/organizations', { params: { query: { limit: 200 } } })), staleTime: 60_000 });
  const items = list.data?.items ?? [];
  const name = items.find((item) => item.id === current)?.name ?? t.product;
  const choose = (id: string) => {
    if (id === current) return;
    chooseOrganization(id);
    void queries.invalidateQueries();
    void navigate({ to: '/' });
  };
  return (
    <Menu>
      <MenuTrigger className="flex h-9 min-w-0 flex-1 items-center gap-2 rounded-md px-1.5 text-left hover:bg-hover" aria-label={`${t.nav.organizationMenu}: ${name}`}>
        <Mark className="size-6 shrink-0" />
        <span className="min-w-0 flex-1 truncate font-semibold">{name}</span>
        <ChevronsUpDown className="size-3.5 shrink-0 text-muted" aria-hidden="true" />
      </MenuTrigger>
      <MenuContent align="start">
        <MenuChoices
          label={t.nav.organizationMenu}
          value={current ?? ''}
          onChange={choose}
          options={items.map((item) => ({
            value: item.id,
            label: (
              <span className="flex items-center gap-2">
                <Building2 className="size-4 shrink-0 text-muted" aria-hidden="true" />
                <span className="truncate">{item.name}</span>
              </span>
            ),
          }))}
        />
        <MenuLine />
        <MenuItem onSelect={() => setMaking(true)}>
          <Plus className="size-4 text-muted" aria-hidden="true" />
          {t.team.newOrganization}
        </MenuItem>
      </MenuContent>
      {making && (
        <Suspense>
          <NewOrganization
            close={() => setMaking(false)}
            made={(id) => {
              setMaking(false);
              choose(id);
            }}
          />
        </Suspense>
      )}
    </Menu>
  );
}

function Account({ keys }: { keys: () => void }) {
  const me = useSession((state) => state.me);
  const theme = usePreferences((now) => now.theme);
  const navigate = useNavigate();
  const queries = useQueryClient();
  const leave = () => {
    signOut().then(
      async () => {
        queries.clear();
        await navigate({ to: '/login' });
      },
      (error: unknown) => toast.failed(error),
    );
  };
  return (
    <Menu>
      <MenuTrigger className="flex h-9 w-full min-w-0 items-center gap-2 rounded-md px-2 text-left hover:bg-hover" aria-label={`${t.nav.accountMenu}: ${me?.name ?? ''}`}>
        <UserRound className="size-4 shrink-0 text-muted" aria-hidden="true" />
        <span className="min-w-0 flex-1 truncate">{me?.name}</span>
        <ChevronsUpDown className="size-3.5 shrink-0 text-muted" aria-hidden="true" />
      </MenuTrigger>
      <MenuContent align="start">
        <p className="max-w-60 truncate px-2 py-1.5 text-sm text-muted">{me?.email}</p>
        <MenuLine />
        <MenuChoices
          label={t.nav.theme}
          value={theme}
          onChange={(value) => prefer({ theme: value as Theme })}
          options={[
            { value: 'system', label: t.nav.system },
            { value: 'light', label: t.nav.light },
            { value: 'dark', label: t.nav.dark },
          ]}
        />
        <MenuLine />
        <MenuItem onSelect={() => void navigate({ to: '/profile' })}>{t.nav.profile}</MenuItem>
        <MenuItem onSelect={keys}>{t.keys.title}</MenuItem>
        <MenuItem onSelect={() => location.assign('/api/docs')}>{t.nav.apiDocs}</MenuItem>
        <MenuItem onSelect={leave}>{t.nav.signOut}</MenuItem>
      </MenuContent>
    </Menu>
  );
}
