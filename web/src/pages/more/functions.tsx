import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { RefreshCw } from 'lucide-react';
import { api, ask, type Schemas } from '@/api/client';
import { type Effect, permissionsOf, type Plugin, pluginsQuery } from '@/api/plugins';
import { useSession } from '@/app/session';
import { t } from '@/i18n/en';
import { SearchBox } from '@/pages/workflows/list';
import { Button } from '@/ui/button';
import { Page, Section } from '@/ui/page';
import { Empty, Loading, ProblemView } from '@/ui/states';
import { Badge, type Tone } from '@/ui/status';
import { toast } from '@/ui/toast';

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
  const queries = useQueryClient();
  const superuser = useSession((state) => state.me?.is_superuser ?? false);
  const reload = useMutation({
    mutationFn: () => ask(api.POST('/api/plugins/reload')),
    onSuccess: (read) => {
      toast.done(t.functions.reloaded(read.functions.length, read.findings.length));
      void queries.invalidateQueries({ queryKey: pluginsQuery().queryKey });
    },
    onError: toast.failed,
  });
  // Of the folder itself only who has it read is told.
  const faults = [...(reload.data?.findings ?? []).filter(({ file }) => !file), ...(list.data?.findings ?? [])];
  const words = (search.q ?? '').toLowerCase();
  const items = (list.data?.items ?? []).filter((item) => `${item.name} ${item.description}`.toLowerCase().includes(words));
  const ours = items.filter((item) => permissionsOf(item));
  const theirs = items.filter((item) => !permissionsOf(item));
  return (
    <Page
      title={t.functions.title}
      actions={
        superuser && (
          <Button busy={reload.isPending} onClick={() => reload.mutate()}>
            <RefreshCw className="size-4" aria-hidden="true" />
            {t.functions.reload}
          </Button>
        )
      }
    >
      <p className="-mt-2 text-muted">{t.functions.hint}</p>
      <div role="search">
        <SearchBox value={search.q ?? ''} onChange={(q) => void navigate({ search: q ? { q } : {}, replace: true })} label={t.functions.search} />
      </div>
      {faults.length > 0 && <Faults findings={faults} left={(list.data?.findings_total ?? 0) - (list.data?.findings.length ?? 0)} />}
      {list.isPending && <Loading />}
      {list.error && <ProblemView error={list.error} retry={() => void list.refetch()} />}
      {list.data && items.length === 0 && <Empty title={t.functions.noMatch} />}
      {ours.length > 0 && (
        <Section title={t.functions.ours} hint={t.functions.oursHelp}>
          <Functions items={ours} />
        </Section>
      )}
      {ours.length > 0 && theirs.length > 0 ? (
        <Section title={t.functions.theirs}>
          <Functions items={theirs} />
        </Section>
      ) : (
        <Functions items={theirs} />
      )}
    </Page>
  );
}

function Functions({ items }: { items: readonly Plugin[] }) {
  return (
    <ul className="grid gap-2 md:grid-cols-2">
      {items.map((item) => (
        <li key={item.name} data-row className="panel relative flex flex-col gap-1 px-4 py-3 hover:border-strong hover:bg-subtle">
          <span className="flex flex-wrap items-center gap-x-3 gap-y-1">
            <Link to="/functions/$name" params={{ name: item.name }} className="font-mono font-medium after:absolute after:inset-0">
              {item.name}
            </Link>
            {permissionsOf(item) && <span className="text-sm text-muted">{item.version}</span>}
            <span className="ml-auto">
              <Effects effects={item.effects} destructive={item.destructive} />
            </span>
          </span>
          <span className="text-sm text-muted">{item.description}</span>
        </li>
      ))}
    </ul>
  );
}

/** What is wrong in the folder of functions, file by file; `left` more are not among them. */
function Faults({ findings, left }: { findings: Schemas['PluginFinding'][]; left: number }) {
  return (
    <Section title={t.functions.faults} hint={t.functions.faultsHelp}>
      <ul className="panel divide-y divide-line">
        {findings.map((finding) => (
          <li key={`${finding.file} ${finding.line} ${finding.column} ${finding.message}`} className="flex flex-col gap-0.5 px-4 py-2">
            <span className="flex flex-wrap items-baseline gap-x-3">
              <span className="font-medium text-fail">{finding.message}</span>
              <span className="text-xs text-muted">{finding.rule}</span>
            </span>
            <span className="font-mono text-sm break-all text-muted">{t.functions.place(finding.file, finding.line, finding.column)}</span>
          </li>
        ))}
        {left > 0 && <li className="px-4 py-2 text-muted">{t.functions.moreFaults(left)}</li>}
      </ul>
    </Section>
  );
}
