import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ask, type Schemas } from '@/api/client';
import { t } from '@/i18n/en';
import { Section } from '@/ui/page';
import { Empty, Loading, ProblemView } from '@/ui/states';
import { Badge } from '@/ui/status';
import { Table } from '@/ui/table';

type Setting = Schemas['Setting'];

export function Settings() {
  const list = useQuery({ queryKey: ['admin', 'settings'], queryFn: () => ask(api.GET('/api/admin/settings')), staleTime: 60_000 });
  const [words, setWords] = useState('');
  const [changed, setChanged] = useState(false);
  if (list.isPending) return <Loading rows={10} />;
  if (list.error) return <ProblemView error={list.error} retry={() => void list.refetch()} />;
  const wanted = words.trim().toLowerCase();
  const rows = list.data.items.filter((one) => (!changed || one.source !== 'default') && `${one.name} ${one.summary}`.toLowerCase().includes(wanted));
  return (
    <Section title={t.admin.settings} hint={t.admin.settingsHint}>
      <div role="search" className="flex flex-wrap items-center gap-x-4 gap-y-2">
        <input type="search" className="input min-w-48 flex-1" aria-label={t.admin.searchSettings} placeholder={t.admin.searchSettings} value={words} onChange={(event) => setWords(event.target.value)} />
        <label className="flex items-center gap-2">
          <input type="checkbox" className="size-4 accent-(--accent)" checked={changed} onChange={(event) => setChanged(event.target.checked)} />
          {t.admin.onlyChanged}
        </label>
      </div>
      {rows.length === 0 ? (
        <Empty title={t.admin.noSetting} />
      ) : (
        <Table
          caption={t.admin.settings}
          rows={rows}
          id={(one) => one.name}
          columns={[
            {
              head: t.admin.setting,
              className: 'md:w-1/2',
              cell: (one) => (
                <span className="flex flex-col">
                  <span className="font-mono text-sm font-medium break-all">{one.name}</span>
                  <span className="text-sm text-muted">{one.summary.replaceAll('`', '')}</span>
                </span>
              ),
            },
            { head: t.admin.value, cell: (one) => <Value one={one} /> },
            { head: t.admin.source, className: 'md:w-32', cell: (one) => <Badge {...(one.source === 'default' ? {} : { tone: 'run' as const })}>{t.admin.sources[one.source]}</Badge> },
          ]}
        />
      )}
    </Section>
  );
}

function Value({ one }: { one: Setting }) {
  if (!one.is_set) return <span className="text-sm text-muted">{t.admin.unset}</span>;
  if (one.secret) return <span className="text-sm text-muted">{t.admin.secretSet}</span>;
  return (
    <span className="flex flex-col">
      <span className="font-mono text-sm break-all">
        {one.value} {one.unit && <span className="font-sans text-muted">{one.unit}</span>}
      </span>
      {one.source !== 'default' && one.default !== null && <span className="text-xs text-muted">{t.admin.standard(one.default)}</span>}
    </span>
  );
}
