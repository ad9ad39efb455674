import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { X } from 'lucide-react';
import { workflowQuery } from '@/api/workflows';
import { t } from '@/i18n/en';
import { SearchBox } from '@/pages/workflows/list';
import { Button } from '@/ui/button';
import { Page } from '@/ui/page';
import { statusWord } from '@/ui/status';
import { RunList } from './table';

const STATUSES = ['pending', 'running', 'waiting', 'suspended', 'completed', 'faulted', 'cancelled'];

export function RunsPage() {
  const search = useSearch({ from: '/inside/runs' });
  const navigate = useNavigate({ from: '/runs' });
  const set = (change: Partial<typeof search>) => void navigate({ search: (before) => ({ ...before, ...change }), replace: true });
  return (
    <Page title={t.runs.title}>
      <div role="search" className="flex flex-wrap items-center gap-2">
        <SearchBox value={search.q ?? ''} onChange={(q) => set({ q: q || undefined })} label={t.runs.search} />
        <select aria-label={t.runs.status} className="input w-auto!" value={search.status ?? ''} onChange={(event) => set({ status: event.target.value || undefined })}>
          <option value="">{t.runs.anyStatus}</option>
          {STATUSES.map((status) => (
            <option key={status} value={status}>
              {statusWord(status)}
            </option>
          ))}
        </select>
        <select aria-label={t.runs.since} className="input w-auto!" value={search.since ?? ''} onChange={(event) => set({ since: event.target.value || undefined })}>
          {Object.entries(t.runs.spans).map(([value, label]) => (
            <option key={value} value={value === 'any' ? '' : value}>
              {label}
            </option>
          ))}
        </select>
        {search.workflow && <Of workflow={search.workflow} clear={() => set({ workflow: undefined })} />}
      </div>
      <RunList filter={search} clear={() => set({ q: undefined, status: undefined, since: undefined, workflow: undefined })} />
    </Page>
  );
}

/** Says that only runs of one workflow are listed. */
function Of({ workflow, clear }: { workflow: string; clear: () => void }) {
  const { data } = useQuery(workflowQuery(workflow));
  return (
    <Button onClick={clear} title={t.runs.ofAll} aria-label={`${t.runs.onlyOf(data?.name ?? workflow)}. ${t.runs.ofAll}`}>
      {t.runs.onlyOf(data?.name ?? workflow)}
      <X className="size-4" aria-hidden="true" />
    </Button>
  );
}
