import { queryOptions, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { type ReactNode, useDeferredValue, useEffect, useRef } from 'react';
import { waitingQuery } from '@/api/approvals';
import { api, ask, type Schemas } from '@/api/client';
import { scope, useMay } from '@/app/session';
import { t } from '@/i18n/en';
import { useFollow } from '@/live/use-follow';
import { ButtonLink } from '@/ui/button';
import { cx } from '@/ui/cx';
import { amount, count, duration } from '@/ui/format';
import { Page, Section } from '@/ui/page';
import { Loading, ProblemView } from '@/ui/states';
import { Status, TEXT, type Tone } from '@/ui/status';
import { Time } from '@/ui/time';
import { Charts } from './charts';

type Statistics = Schemas['RunStatistics'];
type Window = Statistics['window'];
const WINDOWS: Window[] = ['1h', '24h', '7d', '30d'];
const isWindow = (text: string | undefined): text is Window => WINDOWS.includes(text as Window);
const key = () => [scope(), 'runs', 'home'];

export function HomePage() {
  const search = useSearch({ from: '/inside/' });
  const navigate = useNavigate({ from: '/' });
  const window = isWindow(search.window) ? search.window : '24h';
  const stats = useQuery({
    queryKey: [...key(), window],
    queryFn: ({ signal }) => ask(api.GET('/api/stats', { params: { query: { window } }, signal })),
    refetchInterval: 60_000,
    placeholderData: (before) => before,
  });
  // All that stands above something else comes at once, so that nothing moves.
  const above = [stats, useQuery(waitingQuery()), useQuery(lettersQuery())];
  // Made bit by bit: what came does not hold up a touch.
  const ready = useDeferredValue(above.every((one) => !one.isPending));
  useFresh();
  return (
    <Page
      title={t.home.title}
      actions={
        <select aria-label={t.home.window} className="input w-auto!" value={window} onChange={(event) => void navigate({ search: event.target.value === '24h' ? {} : { window: event.target.value }, replace: true })}>
          {WINDOWS.map((one) => (
            <option key={one} value={one}>
              {t.home.windows[one]}
            </option>
          ))}
        </select>
      }
    >
      {!ready && <Loading rows={8} height={60} />}
      {ready && (
        <>
          <Guide stats={stats.data} />
          <Waiting />
          <Letters />
        </>
      )}
      {stats.error && <ProblemView error={stats.error} retry={() => void stats.refetch()} />}
      {ready && stats.data && (
        <>
          <Figures stats={stats.data} window={window} />
          <Charts stats={stats.data} />
        </>
      )}
      <div className={cx('grid gap-6 lg:grid-cols-2', !ready && 'hidden')}>
        <Failures />
        <Starts />
      </div>
      {/* Below all that comes later than it, it would be pushed down by it. */}
      <div className={cx(!ready && 'hidden')}>
        <Spent />
      </div>
    </Page>
  );
}

/** Runs that change make the figures old; however many do, they are asked for at most every three seconds. */
function useFresh() {
  const queries = useQueryClient();
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const stale = () => {
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      void queries.invalidateQueries({ queryKey: key() });
    }, 3000);
  };
  useFollow('runs', key(), (event) => event.event === 'run.status' && stale(), stale);
}

const total = (stats: Statistics) => Object.values({ ...stats.open, ...stats.ended }).reduce((sum, value) => sum + value, 0);

/** Until there is a workflow, what this is about and how to begin. */
function Guide({ stats }: { stats: Statistics | undefined }) {
  const writes = useMay('member');
  const any = useQuery({ queryKey: [scope(), 'workflows', 'any'], queryFn: () => ask(api.GET('/api/workflows', { params: { query: { limit: 1 } } })) });
  if (!any.data || any.data.items.length > 0 || !stats || total(stats) > 0 || !writes) return null;
  return (
    <section className="panel flex flex-col gap-3 bg-subtle p-5">
      <h2 className="text-lg font-semibold">{t.home.guide}</h2>
      <p className="text-muted">{t.home.guideHelp}</p>
      <ol className="grid gap-3 sm:grid-cols-3">
        {t.home.steps.map((step, at) => (
          <li key={step} className="flex items-baseline gap-2">
            <span className="grid size-6 shrink-0 place-items-center rounded-full border border-strong text-sm font-medium" aria-hidden="true">
              {at + 1}
            </span>
            {step}
          </li>
        ))}
      </ol>
      <ButtonLink kind="primary" to="/workflows/new" className="self-start">
        {t.home.begin}
      </ButtonLink>
    </section>
  );
}

function Waiting() {
  const waiting = useQuery(waitingQuery());
  const number = waiting.data?.items.length ?? 0;
  if (number === 0) return null;
  return (
    <Link to="/approvals" search={{ mine: 'true' }} className="panel flex items-center gap-2 px-4 py-2 hover:bg-subtle">
      <Status status="waiting" word={`${t.approvals.title}: ${t.approvals.waiting(String(number))}`} className="whitespace-normal!" />
    </Link>
  );
}

function lettersQuery() {
  return queryOptions({ queryKey: [scope(), 'dead-letters', 'home'], queryFn: () => ask(api.GET('/api/dead-letters', { params: { query: { limit: 50 } } })) });
}

function Letters() {
  const letters = useQuery(lettersQuery());
  const number = letters.data?.items.length ?? 0;
  if (number === 0) return null;
  return (
    <Link to="/dead-letters" className="panel flex items-center gap-2 px-4 py-2 hover:bg-subtle">
      <Status status="faulted" word={t.home.letters(number)} className="whitespace-normal!" />
    </Link>
  );
}

const time = (ms: number | null) => (ms === null ? '—' : duration(ms));

function Figures({ stats, window }: { stats: Statistics; window: Window }) {
  const { open, ended, times } = stats;
  const decided = ended.completed + ended.faulted;
  return (
    <section aria-label={t.home.figures}>
      <dl className="grid grid-cols-2 gap-2 sm:grid-cols-3 xl:grid-cols-6">
        <Figure name={t.home.success} tone={decided > 0 && ended.faulted > 0 ? 'fail' : 'ok'} hint={t.home.successHelp(count(ended.completed), count(decided))}>
          {decided === 0 ? '—' : `${Math.floor((ended.completed / decided) * 1000) / 10} %`}
        </Figure>
        <Figure name={t.home.running} tone="run" link={{ status: 'running' }}>
          {count(open.running)}
        </Figure>
        <Figure name={t.home.waiting} tone="wait" link={{ status: 'waiting' }} hint={t.home.waitingHelp(count(open.pending), count(open.suspended))}>
          {count(open.waiting)}
        </Figure>
        <Figure name={t.home.faulted} tone="fail" link={{ status: 'faulted', since: window }}>
          {count(ended.faulted)}
        </Figure>
        <Figure name={t.home.typical} hint={`${t.home.slow} ${time(times.p95_ms)}`}>
          {time(times.p50_ms)}
        </Figure>
        <Figure name={t.home.slowest}>{time(times.p99_ms)}</Figure>
      </dl>
    </section>
  );
}

const dollars = (cost: number) => `$${amount(cost, 4)}`;

const ofLimit = (value: string, limit: string | null) => (limit === null ? value : t.agent.ofBudget(value, limit));

/** What models took in this month, beside what they may take. */
function Spent() {
  const budget = useQuery({ queryKey: [scope(), 'llm', 'budget'], queryFn: () => ask(api.GET('/api/llm/budget')), refetchInterval: 60_000 });
  if (!budget.data || budget.data.requests === 0) return null;
  const { used, limit, requests } = budget.data;
  return (
    <Section title={t.home.models}>
      <dl className="grid grid-cols-1 gap-2 sm:grid-cols-2 lg:grid-cols-4">
        <Figure name={t.home.modelCost} hint={t.home.modelMonth}>
          {ofLimit(dollars(used.cost), limit.cost === null ? null : dollars(limit.cost))}
        </Figure>
        <Figure name={t.home.modelTokens} hint={t.home.modelRequests(requests, count(requests))}>
          {ofLimit(count(used.tokens), limit.tokens === null ? null : count(limit.tokens))}
        </Figure>
      </dl>
    </Section>
  );
}

function Figure({ name, tone, hint, link, children }: { name: string; tone?: Tone; hint?: string; link?: { status: string; since?: string }; children: ReactNode }) {
  return (
    <div className="panel relative flex flex-col px-4 py-3">
      <dt className="text-sm text-muted">
        {link ? (
          <Link to="/runs" search={link} className="after:absolute after:inset-0 hover:underline">
            {name}
          </Link>
        ) : (
          name
        )}
      </dt>
      <dd className={cx('text-xl font-semibold', tone && children !== '0' && children !== '—' && TEXT[tone])}>{children}</dd>
      {hint && <dd className="text-xs text-muted">{hint}</dd>}
    </div>
  );
}

function Failures() {
  const failed = useQuery({ queryKey: [...key(), 'failures'], queryFn: () => ask(api.GET('/api/runs', { params: { query: { status: 'faulted', limit: 6 } } })) });
  return (
    <Section title={t.home.failures} actions={<ButtonLink kind="quiet" className="-mr-3 -mb-1" to="/runs" search={{ status: 'faulted' }}>{t.home.allFaulted}</ButtonLink>}>
      {failed.isPending && <Loading rows={3} />}
      {failed.error && <ProblemView error={failed.error} retry={() => void failed.refetch()} />}
      {failed.data?.items.length === 0 && <p className="text-muted">{t.home.noFailures}</p>}
      {(failed.data?.items.length ?? 0) > 0 && (
        <ul className="panel divide-y divide-line">
          {failed.data?.items.map((run) => (
            <li key={run.id} className="flex items-center gap-3 px-3 py-2">
              <Status status={run.status} className="shrink-0" />
              <Link to="/runs/$runId" params={{ runId: run.id }} className="min-w-0 flex-1 truncate font-medium hover:underline">
                {run.workflow_name}
              </Link>
              <Time at={run.ended_at ?? run.created_at} className="shrink-0 text-sm text-muted" />
            </li>
          ))}
        </ul>
      )}
    </Section>
  );
}

function Starts() {
  const schedules = useQuery({ queryKey: [scope(), 'schedules'], queryFn: () => ask(api.GET('/api/schedules', { params: { query: { limit: 200 } } })), refetchInterval: 30_000 });
  const next = (schedules.data?.items ?? []).filter((one) => one.enabled && one.next_due).sort((a, b) => (a.next_due ?? '').localeCompare(b.next_due ?? '')).slice(0, 6);
  return (
    <Section title={t.home.starts} actions={<ButtonLink kind="quiet" className="-mr-3 -mb-1" to="/schedules">{t.home.allSchedules}</ButtonLink>}>
      {schedules.isPending && <Loading rows={3} />}
      {schedules.error && <ProblemView error={schedules.error} retry={() => void schedules.refetch()} />}
      {schedules.data && next.length === 0 && <p className="text-muted">{t.home.noStarts}</p>}
      {next.length > 0 && (
        <ul className="panel divide-y divide-line">
          {next.map((one) => (
            <li key={one.id} className="flex items-center gap-3 px-3 py-2">
              <Link to="/workflows/$workflowId" params={{ workflowId: one.workflow_id }} className="min-w-0 flex-1 truncate font-medium hover:underline">
                {one.workflow_name}
              </Link>
              <Time at={one.next_due} className="shrink-0 text-sm text-muted" />
            </li>
          ))}
        </ul>
      )}
    </Section>
  );
}
