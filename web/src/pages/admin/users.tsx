import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { Ellipsis } from 'lucide-react';
import { useState } from 'react';
import { api, ask, type Schemas } from '@/api/client';
import { useSession } from '@/app/session';
import { t } from '@/i18n/en';
import { SearchBox } from '@/pages/workflows/list';
import { Button } from '@/ui/button';
import { Confirm } from '@/ui/confirm';
import { Menu, MenuContent, MenuItem, MenuLine, MenuTrigger } from '@/ui/menu';
import { Empty, Loading, ProblemView } from '@/ui/states';
import { Badge } from '@/ui/status';
import { Table } from '@/ui/table';
import { Time } from '@/ui/time';
import { toast } from '@/ui/toast';

type User = Schemas['ManagedUser'];
type Question = { user: User; text: string; button: string; act: () => Promise<unknown> };
const KEY = ['admin', 'users'];

const change = (user: User, changes: Schemas['ManagedUserChanges']) => ask(api.PUT('/api/admin/users/{user_id}', { params: { path: { user_id: user.id } }, body: changes }));

export function Users() {
  const search = useSearch({ from: '/inside/admin' });
  const navigate = useNavigate({ from: '/admin' });
  const queries = useQueryClient();
  const [question, setQuestion] = useState<Question | null>(null);
  const list = useInfiniteQuery({
    queryKey: [...KEY, search.q ?? ''],
    queryFn: ({ pageParam, signal }) =>
      ask(api.GET('/api/admin/users', { params: { query: { limit: 50, ...(search.q ? { q: search.q } : {}), ...(pageParam ? { cursor: pageParam } : {}) } }, signal })),
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor,
  });
  const stale = () => queries.invalidateQueries({ queryKey: KEY });
  const done = async (text: string) => {
    toast.done(text);
    await stale();
  };
  const apply = (user: User, changes: Schemas['ManagedUserChanges']) => change(user, changes).then(() => done(t.admin.changed(user.name)), toast.failed);
  const items = list.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <>
      <div role="search">
        <SearchBox value={search.q ?? ''} onChange={(q) => void navigate({ search: q ? { q } : {}, replace: true })} label={t.admin.search} />
      </div>
      {list.isPending && <Loading />}
      {list.error && <ProblemView error={list.error} retry={() => void list.refetch()} />}
      {list.data && items.length === 0 && <Empty title={t.admin.noMatch} />}
      {items.length > 0 && (
        <Table
          caption={t.admin.tabs.users}
          rows={items}
          id={(user) => user.id}
          columns={[
            {
              head: t.admin.user,
              cell: (user) => (
                <span className="flex flex-col">
                  <span className="font-medium">{user.name}</span>
                  <span className="text-sm break-all text-muted">{user.email}</span>
                </span>
              ),
            },
            { head: t.admin.state, cell: (user) => <Marks user={user} /> },
            { head: t.admin.joined, cell: (user) => <Time at={user.created_at} className="text-sm text-muted" /> },
            { head: t.admin.lastLogin, cell: (user) => <Time at={user.last_login_at} className="text-sm text-muted" /> },
            { head: t.common.actions, className: 'md:text-right', cell: (user) => <Actions user={user} apply={apply} done={done} put={setQuestion} /> },
          ]}
        />
      )}
      {list.hasNextPage && (
        <Button className="self-center" busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
          {t.common.more}
        </Button>
      )}
      {question && <Confirm title={question.button} text={question.text} button={question.button} act={question.act} close={() => setQuestion(null)} />}
    </>
  );
}

function Marks({ user }: { user: User }) {
  return (
    <span className="flex flex-wrap gap-1">
      {user.is_superuser && <Badge tone="run">{t.admin.superuser}</Badge>}
      {!user.is_active && <Badge tone="fail">{t.admin.inactive}</Badge>}
      {!user.email_verified && <Badge tone="wait">{t.admin.unverified}</Badge>}
      {user.totp_enabled && <Badge tone="ok">{t.admin.secondFactor}</Badge>}
    </span>
  );
}

function Actions({ user, apply, done, put }: { user: User; apply: (user: User, changes: Schemas['ManagedUserChanges']) => void; done: (text: string) => Promise<void>; put: (question: Question) => void }) {
  const me = useSession((state) => state.me);
  if (user.id === me?.id) return <Badge>{t.common.you}</Badge>;
  const ask1 = (button: string, text: string, changes: Schemas['ManagedUserChanges']) =>
    put({ user, button, text, act: () => change(user, changes).then(() => done(t.admin.changed(user.name))) });
  return (
    <Menu>
      <MenuTrigger aria-label={t.admin.actionsOf(user.name)} className="inline-grid size-8 place-items-center rounded-md text-muted hover:bg-hover hover:text-fg pointer-coarse:size-10">
        <Ellipsis className="size-4" aria-hidden="true" />
      </MenuTrigger>
      <MenuContent>
        {user.is_active ? (
          <MenuItem onSelect={() => ask1(t.admin.deactivate, t.admin.deactivateSure(user.name), { is_active: false })}>{t.admin.deactivate}</MenuItem>
        ) : (
          <MenuItem onSelect={() => apply(user, { is_active: true })}>{t.admin.activate}</MenuItem>
        )}
        {user.is_superuser ? (
          <MenuItem onSelect={() => ask1(t.admin.dropSuperuser, t.admin.dropSure(user.name), { is_superuser: false })}>{t.admin.dropSuperuser}</MenuItem>
        ) : (
          <MenuItem onSelect={() => ask1(t.admin.makeSuperuser, t.admin.superuserSure(user.name), { is_superuser: true })}>{t.admin.makeSuperuser}</MenuItem>
        )}
        <MenuLine />
        <MenuItem
          danger
          onSelect={() =>
            put({
              user,
              button: t.common.delete,
              text: t.admin.deleteSure(user.name),
              act: () => ask(api.DELETE('/api/admin/users/{user_id}', { params: { path: { user_id: user.id } } })).then(() => done(t.admin.deleted(user.name))),
            })
          }
        >
          {t.common.delete}
        </MenuItem>
      </MenuContent>
    </Menu>
  );
}
