import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Pencil, PlugZap, Plus, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { api, ask, type Schemas } from '@/api/client';
import { connectorsQuery, integrationsKey, integrationsQuery } from '@/api/integrations';
import { useMay } from '@/app/session';
import { t } from '@/i18n/en';
import { Button, IconButton } from '@/ui/button';
import { Confirm } from '@/ui/confirm';
import { duration } from '@/ui/format';
import { Page } from '@/ui/page';
import { Empty, Loading, ProblemView } from '@/ui/states';
import { Badge, Status } from '@/ui/status';
import { Table } from '@/ui/table';
import { Time } from '@/ui/time';
import { toast } from '@/ui/toast';
import { IntegrationDialog } from './dialog';

type Integration = Schemas['Integration'];
type Answer = Schemas['IntegrationTest'];

export function IntegrationsPage() {
  const manages = useMay('admin');
  const list = useQuery(integrationsQuery());
  const connectors = useQuery(connectorsQuery());
  const [editing, setEditing] = useState<Integration | 'new' | null>(null);
  const [deleting, setDeleting] = useState<Integration | null>(null);
  const [testing, setTesting] = useState<string | null>(null);
  const queries = useQueryClient();
  const stale = () => queries.invalidateQueries({ queryKey: integrationsKey() });
  const items = list.data?.items ?? [];
  const add = (
    <Button kind="primary" onClick={() => setEditing('new')}>
      <Plus className="size-4" aria-hidden="true" />
      {t.integrations.new}
    </Button>
  );
  return (
    <Page title={t.integrations.title} actions={manages && add}>
      <p className="-mt-2 text-muted">{t.integrations.hint}</p>
      {list.isPending && <Loading />}
      {list.error && <ProblemView error={list.error} retry={() => void list.refetch()} />}
      {list.data && items.length === 0 && <Empty title={t.integrations.empty}>{t.integrations.emptyHelp}</Empty>}
      {items.length > 0 && (
        <Table
          caption={t.integrations.title}
          rows={items}
          id={(item) => item.id}
          columns={[
            {
              head: t.integrations.name,
              cell: (item) => (
                <span className="flex flex-wrap items-center gap-x-2">
                  <span className="font-medium">{item.name}</span>
                  {!item.is_active && <Badge>{t.integrations.off}</Badge>}
                </span>
              ),
            },
            { head: t.integrations.service, cell: (item) => connectors.data?.items.find((one) => one.name === item.connector)?.title ?? item.connector },
            { head: t.integrations.settings, className: 'max-w-xs', cell: (item) => <Settings config={item.config} /> },
            { head: t.integrations.state, cell: (item) => <Connection item={item} manages={manages} test={testing === item.id} onTested={() => setTesting(null)} /> },
            {
              head: t.common.actions,
              className: 'md:text-right md:whitespace-nowrap',
              cell: (item) =>
                manages && (
                  <>
                    <IconButton label={t.integrations.changeOf(item.name)} onClick={() => setEditing(item)}>
                      <Pencil className="size-4" aria-hidden="true" />
                    </IconButton>
                    <IconButton label={t.integrations.deleteOf(item.name)} onClick={() => setDeleting(item)}>
                      <Trash2 className="size-4" aria-hidden="true" />
                    </IconButton>
                  </>
                ),
            },
          ]}
        />
      )}
      {editing && connectors.data && (
        <IntegrationDialog
          connectors={connectors.data.items}
          integration={editing === 'new' ? null : editing}
          close={() => setEditing(null)}
          saved={(id) => {
            setEditing(null);
            setTesting(id);
            toast.done(t.integrations.saved);
            void stale();
          }}
        />
      )}
      {deleting && (
        <Confirm
          title={t.integrations.deleteOf(deleting.name)}
          text={t.integrations.deleteSure(deleting.name)}
          button={t.common.delete}
          close={() => setDeleting(null)}
          act={async () => {
            await ask(api.DELETE('/api/integrations/{integration_id}', { params: { path: { integration_id: deleting.id } } }));
            toast.done(t.integrations.deleted);
            await stale();
          }}
        />
      )}
    </Page>
  );
}

/** What is public of a configuration; that there is a secret, and no more, is said too. */
function Settings({ config }: { config: unknown }) {
  const members = Object.entries((config ?? {}) as Record<string, unknown>);
  return (
    <ul className="text-sm text-muted">
      {members.map(([name, value]) => (
        <li key={name} className="truncate">
          <span className="font-mono">{name}</span>: {typeof value === 'string' ? value : JSON.stringify(value)}
        </li>
      ))}
    </ul>
  );
}

function Connection({ item, manages, test, onTested }: { item: Integration; manages: boolean; test: boolean; onTested: () => void }) {
  const queries = useQueryClient();
  const [answer, setAnswer] = useState<Answer | null>(null);
  const run = useMutation({
    mutationFn: () => ask(api.POST('/api/integrations/{integration_id}/test', { params: { path: { integration_id: item.id } } })),
    onMutate: () => setAnswer(null),
    onSuccess: setAnswer,
    onError: toast.failed,
    onSettled: () => queries.invalidateQueries({ queryKey: integrationsKey() }),
  });
  // What has just been saved is tested at once.
  const [begun, setBegun] = useState(false);
  if (test && !begun) {
    setBegun(true);
    queueMicrotask(() => {
      run.mutate();
      onTested();
    });
  }
  if (!test && begun) setBegun(false);
  const state = answer?.status ?? (item.last_tested_at ? (item.last_error ? 'failed' : 'ok') : null);
  return (
    <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
      <div className="min-w-0 flex-1">
        <output className="block">
          {run.isPending ? (
            <Status status="running" word={t.integrations.testing} />
          ) : state === null ? (
            <span className="text-sm text-muted">{t.integrations.untested}</span>
          ) : (
            <>
              <Status status={state === 'ok' ? 'completed' : 'faulted'} word={state === 'ok' ? t.integrations.works : t.integrations.fails} />
              {(answer ?? item.last_error) && (
                <span className="block text-sm break-words text-muted">{answer ? t.integrations.answer(answer.detail, duration(answer.latency_ms)) : item.last_error}</span>
              )}
            </>
          )}
        </output>
        {!run.isPending && !answer && item.last_tested_at && (
          <span className="text-xs text-muted">
            {t.integrations.tested} <Time at={item.last_tested_at} />
          </span>
        )}
      </div>
      {manages && (
        <Button busy={run.isPending} onClick={() => run.mutate()} aria-label={t.integrations.testOf(item.name)}>
          <PlugZap className="size-4" aria-hidden="true" />
          {t.integrations.test}
        </Button>
      )}
    </div>
  );
}
