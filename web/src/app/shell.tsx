import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, Outlet, useNavigate } from '@tanstack/react-router';
import { Building2, ChevronsUpDown, Menu as MenuIcon, Plus, Search, UserRound, WifiOff, X } from 'lucide-react';
import { lazy, Suspense, useCallback, useState } from 'react';
import { approvalsKey, waitingQuery } from '@/api/approvals';
import { api, ask } from '@/api/client';
import { notificationsKey, unreadQuery } from '@/api/notifications';
import { t } from '@/i18n/en';
import { useLive } from '@/live/socket';
import { useFollow } from '@/live/use-follow';
import { LoginForm } from '@/pages/auth/login-form';
import { IconButton } from '@/ui/button';
import { cx } from '@/ui/cx';
import { Dialog } from '@/ui/dialog';
import { count } from '@/ui/format';
import { Menu, MenuChoices, MenuContent, MenuItem, MenuLine, MenuTrigger } from '@/ui/menu';
import { toast } from '@/ui/toast';
import { Mark } from './mark';
import { useKeys } from './keys';
import { groups, type NavItem } from './nav';
import { prefer, type Theme, usePreferences } from './preferences';
import { chooseOrganization, signOut, useMay, useSession } from './session';

const Palette = lazy(() => import('./palette'));
const Shortcuts = lazy(() => import('./shortcuts'));
const NewOrganization = lazy(() => import('./new-organization'));

export function Shell() {
  const organization = useSession((state) => state.organization);
  const [menu, setMenu] = useState(false);
  const [palette, setPalette] = useState(false);
  const [sheet, setSheet] = useState(false);
  const zone = usePreferences((now) => now.zone);
  useKeys({ palette: useCallback(() => setPalette((open) => !open), []), sheet: useCallback(() => setSheet(true), []) });
  return (
    <div className="flex min-h-dvh flex-col md:flex-row">
      <a href="#content" className="sr-only z-40 rounded-md bg-accent px-3 py-1.5 text-on-accent focus:not-sr-only focus:fixed focus:top-2 focus:left-2">
        {t.common.skip}
      </a>
      <header className="sticky top-0 z-10 flex h-12 items-center gap-1 border-b border-line bg-bg px-2 md:hidden">
        <IconButton label={t.nav.menu} onClick={() => setMenu(true)} aria-expanded={menu}>
          <MenuIcon className="size-5" aria-hidden="true" />
        </IconButton>
        <Mark className="size-6" />
        <span className="ml-1 font-semibold">{t.product}</span>
        <IconButton label={t.nav.palette} className="ml-auto" onClick={() => setPalette(true)}>
          <Search className="size-5" aria-hidden="true" />
        </IconButton>
      </header>
      {menu && <button type="button" tabIndex={-1} aria-label={t.common.close} className="fixed inset-0 z-20 bg-scrim md:hidden" onClick={() => setMenu(false)} />}
      <Rail open={menu} close={() => setMenu(false)} search={() => setPalette(true)} keys={() => setSheet(true)} />
      <main id="content" tabIndex={-1} className="min-w-0 flex-1" key={`${organization} ${zone}`}>
        <Outlet />
      </main>
      {palette && (
        <Suspense>
          <Palette close={() => setPalette(false)} keys={() => setSheet(true)} />
        </Suspense>
      )}
      {sheet && (
        <Suspense>
          <Shortcuts close={() => setSheet(false)} />
        </Suspense>
      )}
      <Expired />
    </div>
  );
}

function Rail({ open, close, search, keys }: { open: boolean; close: () => void; search: () => void; keys: () => void }) {
  return (
    <div
      className={cx(
        'z-20 w-60 shrink-0 flex-col border-r border-line bg-subtle md:sticky md:top-0 md:z-10 md:flex md:h-dvh md:w-52',
        open ? 'fixed inset-y-0 left-0 flex' : 'hidden',
      )}
    >
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
          <kbd className="ml-auto font-sans text-xs">Ctrl K</kbd>
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
      <LiveState />
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

/** How many approvals wait for the person; kept up to date by what the server tells. */
function Waiting() {
  const queries = useQueryClient();
  const waiting = useQuery(waitingQuery());
  const stale = () => void queries.invalidateQueries({ queryKey: approvalsKey() });
  useFollow('approvals', stale, stale);
  const number = waiting.data?.items.length ?? 0;
  if (number === 0) return null;
  const shown = waiting.data?.next_cursor ? `${number}+` : String(number);
  return <Bubble shown={shown} said={t.approvals.waiting(shown)} />;
}

/** How much is new to the person. */
function Unread() {
  const queries = useQueryClient();
  const unread = useQuery(unreadQuery());
  const stale = () => void queries.invalidateQueries({ queryKey: notificationsKey() });
  useFollow('notifications', stale, stale);
  const number = unread.data?.unread ?? 0;
  return number > 0 && <Bubble shown={count(number)} said={t.notifications.unread(number)} />;
}

function Bubble({ shown, said }: { shown: string; said: string }) {
  return (
    <span className="ml-auto rounded-full bg-accent px-1.5 text-xs font-medium text-on-accent">
      <span aria-hidden="true">{shown}</span>
      <span className="sr-only">{said}</span>
    </span>
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

/** Only what a reader has to know: that what is shown may be old. */
function LiveState() {
  const state = useLive((live) => live.state);
  return (
    <div role="status" className="px-4 text-xs text-muted">
      {state === 'lost' && (
        <span className="flex items-center gap-1.5 py-2">
          <WifiOff className="size-3.5" aria-hidden="true" />
          {t.nav.reconnecting}
        </span>
      )}
    </div>
  );
}

/** In place: what was typed on the page is still there afterwards. */
function Expired() {
  const expired = useSession((state) => state.expired);
  const email = useSession((state) => state.me?.email);
  const queries = useQueryClient();
  return (
    <Dialog open={expired} onClose={() => undefined} closable={false} title={t.auth.expired} description={t.auth.expiredHelp}>
      <div className="pb-3">
        <LoginForm {...(email ? { email } : {})} done={() => void queries.invalidateQueries()} />
      </div>
    </Dialog>
  );
}
