import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { type Effect, pluginsQuery } from '@/api/plugins';
import { t } from '@/i18n/en';
import { SearchBox } from '@/pages/workflows/list';
import { Page } from '@/ui/page';
import { Empty, Loading, ProblemView } from '@/ui/states';
import { Badge, type Tone } from '@/ui/status';

const TONES: Record<Effect, Tone> = { pure: 'ok', read: 'ok', idempotent: 'run', once: 'wait' };

export function Effects({ effects, destructive }: { effects: readonly Effect[]; destructive: boolean }) {
  return (
    <span className="flex flex-wrap gap-1">
      {effects.map((effect) => (
        <Badge key={effect} tone={TONES[effect]} title={t.functions.effectHelp[effect]}>
          {t.functions.effects[effect]}
        </Badge>
      ))}
      {destructive && (
        <Badge tone="fail" title={t.functions.destructiveHelp}>
          {t.functions.destructive}
        </Badge>
      )}
    </span>
  );
}

export function FunctionsPage() {
  const search = useSearch({ from: '/inside/functions' });
  const navigate = useNavigate({ from: '/functions' });
  const list = useQuery(pluginsQuery());
  const words = (search.q ?? '').toLowerCase();
  const items = (list.data?.items ?? []).filter((item) => `${item.name} ${item.description}`.toLowerCase().includes(words));
  return (
    <Page title={t.functions.title}>
      <p className="-mt-2 text-muted">{t.functions.hint}</p>
      <div role="search">
        <SearchBox value={search.q ?? ''} onChange={(q) => void navigate({ search: q ? { q } : {}, replace: true })} label={t.functions.search} />
      </div>
      {list.isPending && <Loading />}
      {list.error && <ProblemView error={list.error} retry={() => void list.refetch()} />}
      {list.data && items.length === 0 && <Empty title={t.functions.noMatch} />}
      <ul className="grid gap-2 md:grid-cols-2">
        {items.map((item) => (
          <li key={item.name} className="panel relative flex flex-col gap-1 px-4 py-3 hover:border-strong hover:bg-subtle">
            <span className="flex flex-wrap items-center gap-x-3 gap-y-1">
              <Link to="/functions/$name" params={{ name: item.name }} className="font-mono font-medium after:absolute after:inset-0">
                {item.name}
              </Link>
              <span className="ml-auto">
                <Effects effects={item.effects} destructive={item.destructive} />
              </span>
            </span>
            <span className="text-sm text-muted">{item.description}</span>
          </li>
        ))}
      </ul>
    </Page>
  );
}
