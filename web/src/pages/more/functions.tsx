import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { api, ask, type Schemas } from '@/api/client';
import { scope } from '@/app/session';
import { t } from '@/i18n/en';
import { SearchBox } from '@/pages/workflows/list';
import { JsonView } from '@/ui/json-view';
import { Page } from '@/ui/page';
import { Empty, Loading, ProblemView } from '@/ui/states';
import { Badge } from '@/ui/status';

type Property = { type?: string | string[]; description?: string; default?: unknown; enum?: unknown[] };
type Parameters = { properties?: Record<string, Property>; required?: string[] };

export function FunctionsPage() {
  const search = useSearch({ from: '/inside/functions' });
  const navigate = useNavigate({ from: '/functions' });
  const list = useQuery({ queryKey: [scope(), 'plugins'], queryFn: () => ask(api.GET('/api/plugins')), staleTime: 300_000 });
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
      <ul className="flex flex-col gap-2">
        {items.map((item) => (
          <FunctionItem key={item.name} item={item} />
        ))}
      </ul>
    </Page>
  );
}

function FunctionItem({ item }: { item: Schemas['Plugin'] }) {
  const { properties = {}, required = [] } = (item.parameters ?? {}) as Parameters;
  const examples = Array.isArray(item.examples) ? (item.examples as unknown[]) : [];
  return (
    <li>
      <details className="panel">
        <summary className="flex cursor-pointer flex-wrap items-center gap-x-3 px-4 py-3">
          <h2 className="font-mono font-medium">{item.name}</h2>
          <span className="min-w-0 flex-1 text-muted">{item.description}</span>
          {item.destructive && <Badge tone="wait">{t.functions.destructive}</Badge>}
        </summary>
        <div className="flex flex-col gap-4 border-t border-line p-4">
          <dl className="flex flex-col gap-2">
            {Object.entries(properties).map(([name, property]) => (
              <div key={name} className="grid gap-x-4 sm:grid-cols-[12rem_1fr]">
                <dt className="font-mono text-sm">
                  {name}
                  {required.includes(name) && <span className="text-fail"> {t.functions.required}</span>}
                </dt>
                <dd className="text-sm text-muted">
                  {[property.type === undefined ? '' : [property.type].flat().join(' | '), property.enum?.map(String).join(' | ') ?? '', property.description ?? ''].filter(Boolean).join(' · ')}
                  {property.default !== undefined && ` · ${t.functions.default(JSON.stringify(property.default))}`}
                </dd>
              </div>
            ))}
          </dl>
          {examples.map((example, at) => (
            <JsonView key={at} value={example} label={t.functions.example(at + 1)} />
          ))}
        </div>
      </details>
    </li>
  );
}
