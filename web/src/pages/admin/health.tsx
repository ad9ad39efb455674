import { useQuery } from '@tanstack/react-query';
import { api, ask, type Schemas } from '@/api/client';
import { t } from '@/i18n/en';
import { bytes, count, duration, readable } from '@/ui/format';
import { Section } from '@/ui/page';
import { Loading, ProblemView } from '@/ui/states';
import { Badge, Status } from '@/ui/status';
import { Table } from '@/ui/table';

type Check = Schemas['HealthCheck'] & { needed?: boolean; latency_ms?: number };
type Breaker = { origin: string; state: string; failures: number; refused: number };
type Group = keyof typeof t.admin.groups;
const GROUPS = Object.keys(t.admin.groups) as Group[];
const SHAPES: Record<string, string> = { ok: 'completed', warning: 'waiting', failed: 'faulted', not_configured: 'skipped' };
const words = (name: string) => name.replaceAll('_', ' ');
const shown = (name: string, value: unknown) => (typeof value === 'number' ? (name.endsWith('_bytes') ? bytes(value) : count(value)) : String(value));

export function Health() {
  const health = useQuery({ queryKey: ['admin', 'health'], queryFn: () => ask(api.GET('/health/detailed')), refetchInterval: 10_000 });
  if (health.isPending) return <Loading rows={8} />;
  if (health.error) return <ProblemView error={health.error} retry={() => void health.refetch()} />;
  const report = health.data;
  const checks = report.checks as Check[];
  const breakers = (report['circuit_breakers'] ?? []) as Breaker[];
  const uptime = duration(Number(report['uptime_seconds'] ?? 0) * 1000);
  return (
    <div className="flex flex-col gap-6">
      <p className="flex flex-wrap items-center gap-x-4 gap-y-1">
        <Status status={report.status === 'ready' ? 'completed' : 'faulted'} word={report.status === 'ready' ? t.admin.ready : t.admin.notReady} className="font-medium" />
        <span className="text-muted">{t.admin.version(report.version, uptime)}</span>
      </p>
      <Section title={t.admin.checks}>
        <Table
          caption={t.admin.checks}
          rows={checks}
          id={(check) => check.name}
          columns={[
            {
              head: t.admin.check,
              cell: (check) => (
                <span className="flex items-center gap-2">
                  <span className="font-medium">{words(check.name)}</span>
                  {check.needed && <Badge>{t.admin.needed}</Badge>}
                </span>
              ),
            },
            { head: t.admin.state, cell: (check) => <Status status={SHAPES[check.status] ?? 'pending'} word={words(check.status)} /> },
            { head: t.admin.detail, cell: (check) => <span className="text-sm break-words text-muted">{readable(check.detail)}</span> },
            { head: t.admin.latency, className: 'md:text-right', cell: (check) => <span className="text-sm text-muted">{duration(check.latency_ms ?? 0)}</span> },
          ]}
        />
      </Section>
      <Migrations />
      <Section title={t.admin.figures}>
        <div className="grid gap-4 md:grid-cols-2 xl:grid-cols-4">
          {GROUPS.map((group) => (
            <div key={group} className="panel h-fit px-3 py-2">
              <h3 className="pb-1 font-medium">{t.admin.groups[group]}</h3>
              <dl>
              {Object.entries((report[group] ?? {}) as Record<string, unknown>).map(([name, value]) => (
                <div key={name} className="flex justify-between gap-3 text-sm">
                  <dt className="text-muted">{words(name)}</dt>
                  <dd>{shown(name, value)}</dd>
                </div>
              ))}
              </dl>
            </div>
          ))}
        </div>
      </Section>
      <Section title={t.admin.breakers} hint={t.admin.breakersHint}>
        {breakers.length === 0 ? (
          <p className="text-muted">{t.admin.noBreakers}</p>
        ) : (
          <Table
            caption={t.admin.breakers}
            rows={breakers}
            id={(one) => one.origin}
            columns={[
              { head: t.admin.origin, cell: (one) => <span className="font-mono text-sm">{one.origin}</span> },
              { head: t.admin.state, cell: (one) => <Status status={one.state === 'closed' ? 'completed' : one.state === 'open' ? 'faulted' : 'waiting'} word={words(one.state)} /> },
              { head: t.admin.failures, cell: (one) => count(one.failures) },
              { head: t.admin.refused, cell: (one) => count(one.refused) },
            ]}
          />
        )}
      </Section>
    </div>
  );
}

function Migrations() {
  const state = useQuery({
    queryKey: ['admin', 'migrations'],
    // 503 is an answer here: the schema is not what the program needs.
    queryFn: async () => {
      const reply = await api.GET('/health/migrations');
      return (reply.data ?? reply.error) as Schemas['MigrationState'];
    },
  });
  if (!state.data) return null;
  const { status, current_revision: current, head_revision: head } = state.data;
  return (
    <Section title={t.admin.migrations}>
      <p className="flex flex-wrap items-center gap-x-4">
        <Status status={status === 'up_to_date' ? 'completed' : 'faulted'} word={t.admin.migrationStates[status]} />
        {current !== undefined && <span className="text-muted">{t.admin.revision(current, head)}</span>}
      </p>
    </Section>
  );
}
