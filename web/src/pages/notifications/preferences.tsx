import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { preferencesQuery } from '@/api/notifications';
import { api, ask, type Schemas } from '@/api/client';
import { t } from '@/i18n/en';
import { Section } from '@/ui/page';
import { Loading, ProblemView } from '@/ui/states';
import { Table } from '@/ui/table';
import { toast } from '@/ui/toast';

type Preference = Schemas['NotificationPreference'];

/** Each choice is kept as it is made. */
export function Preferences() {
  const queries = useQueryClient();
  const list = useQuery(preferencesQuery());
  const key = preferencesQuery().queryKey;
  // One after the other, each on what the one before has left: none takes back another.
  const save = useMutation({
    mutationKey: key,
    scope: { id: 'preferences' },
    mutationFn: (wish: Preference) => ask(api.PUT('/api/notifications/preferences', { body: { items: [wish] } })),
    onMutate: async (wish) => {
      await queries.cancelQueries({ queryKey: key });
      queries.setQueryData(key, (before) => before && { ...before, items: before.items.map((one) => (one.kind === wish.kind ? wish : one)) });
    },
    onError: toast.failed,
    onSettled: () => (queries.isMutating({ mutationKey: key }) === 1 ? queries.invalidateQueries({ queryKey: key }) : undefined),
  });
  if (list.isPending) return <Loading />;
  if (list.error) return <ProblemView error={list.error} retry={() => void list.refetch()} />;
  const choice = (wish: Preference, name: 'in_app' | 'email', label: string) => (
    <input
      type="checkbox"
      className="size-4 accent-(--accent)"
      aria-label={label}
      checked={wish[name]}
      onChange={(event) => save.mutate({ ...wish, [name]: event.target.checked })}
    />
  );
  return (
    <Section title={t.notifications.tabs.preferences} hint={t.notifications.preferencesHint}>
      <Table
        caption={t.notifications.tabs.preferences}
        rows={list.data.items}
        id={(wish) => wish.kind}
        columns={[
          { head: t.notifications.kind, cell: (wish) => t.notifications.kinds[wish.kind] },
          { head: t.notifications.inApp, className: 'md:w-24', cell: (wish) => <Choice name={t.notifications.inApp}>{choice(wish, 'in_app', t.notifications.hereOf(t.notifications.kinds[wish.kind]))}</Choice> },
          { head: t.notifications.email, className: 'md:w-24', cell: (wish) => <Choice name={t.notifications.email}>{choice(wish, 'email', t.notifications.mailOf(t.notifications.kinds[wish.kind]))}</Choice> },
        ]}
      />
    </Section>
  );
}

/** On a phone the heads of the columns are not seen. */
function Choice({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <span className="flex min-h-6 items-center gap-2">
      {children}
      <span aria-hidden="true" className="text-sm text-muted md:hidden">
        {name}
      </span>
    </span>
  );
}
