import { useQuery } from '@tanstack/react-query';
import { api, ask } from '@/api/client';
import { t } from '@/i18n/en';
import { bytes, count, duration } from '@/ui/format';
import { Section } from '@/ui/page';
import { Loading, ProblemView } from '@/ui/states';
import { StatusShape } from '@/ui/status';
import { Table } from '@/ui/table';

const SHAPES = { process: 'completed', redis: 'completed', redis_away: 'waiting' } as const;

export function Limits() {
  const limits = useQuery({ queryKey: ['admin', 'limits'], queryFn: () => ask(api.GET('/api/admin/limits')), refetchInterval: 10_000 });
  if (limits.isPending) return <Loading rows={6} />;
  if (limits.error) return <ProblemView error={limits.error} retry={() => void limits.refetch()} />;
  const { enabled, counted_by: by, rules, max_body_bytes: body, max_definition_bytes: definition } = limits.data;
  return (
    <div className="flex max-w-4xl flex-col gap-6">
      <Section title={t.admin.limits} hint={t.admin.limitsHint}>
        <p className="flex items-start gap-1.5">
          <StatusShape status={enabled ? SHAPES[by] : 'skipped'} className="mt-0.5" />
          {enabled ? t.admin.countedBy[by] : t.admin.limitsOff}
        </p>
        <Table
          caption={t.admin.limits}
          rows={rules}
          id={(one) => one.rule}
          columns={[
            { head: t.admin.rule, cell: (one) => <span className="font-medium">{t.admin.rules[one.rule]}</span> },
            { head: t.admin.limit, cell: (one) => t.admin.rate(count(one.amount), duration(one.window_seconds * 1000)) },
            { head: t.admin.let, className: 'md:text-right', cell: (one) => <Number name={t.admin.let} value={one.allowed} /> },
            { head: t.admin.refused, className: 'md:text-right', cell: (one) => <Number name={t.admin.refused} value={one.refused} /> },
          ]}
        />
      </Section>
      <Section title={t.admin.sizes}>
        <dl className="panel divide-y divide-line">
          {([[t.admin.maxBody, body], [t.admin.maxDefinition, definition]] as const).map(([name, value]) => (
            <div key={name} className="flex justify-between gap-4 px-3 py-2">
              <dt>{name}</dt>
              <dd className="text-muted">{bytes(value)}</dd>
            </div>
          ))}
        </dl>
      </Section>
    </div>
  );
}

/** On a phone the heads of the columns are not seen. */
function Number({ name, value }: { name: string; value: number }) {
  return (
    <span className="text-sm">
      {count(value)}
      <span aria-hidden="true" className="text-muted md:hidden">
        {' '}
        {name.toLowerCase()}
      </span>
    </span>
  );
}
