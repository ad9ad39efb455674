import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Wrench } from 'lucide-react';
import { lazy, Suspense, useMemo } from 'react';
import { parse } from 'yaml';
import { runApprovalsQuery } from '@/api/approvals';
import { api, ask, type Schemas } from '@/api/client';
import { scope } from '@/app/session';
import { t } from '@/i18n/en';
import { cx } from '@/ui/cx';
import { between, count, duration } from '@/ui/format';
import { Badge, Status } from '@/ui/status';
import { Took, useNow } from '@/ui/time';
import { ErrorView } from '@/ui/error-view';
import { Bubble } from './bubble';
import { keyOf, type TaskRun } from './tasks';
import { type Agent, agentsOf, budgetOf, type Call, type Kept, questionOf, type Turn } from './trace';
import { RunValue, useWhole } from './values';

const ApprovalDetail = lazy(() => import('@/pages/approvals/detail').then((module) => ({ default: module.ApprovalDetail })));
const money = new Intl.NumberFormat('en', { minimumFractionDigits: 2, maximumFractionDigits: 6 });

/** What is told of word for word, or counted: turns, what was remembered, what people are asked about. */
const isRead = (task: TaskRun) => task.type === 'model' || task.type === 'approval' || /\/(recall|remember)$/.test(task.reference);

/** What the agents of a run said, called and took, turn by turn. */
export default function AgentView({ run, speech }: { run: Schemas['Run']; speech: Record<string, string> }) {
  const tasks = useWhole(run, isRead);
  const agents = useMemo(() => agentsOf(tasks), [tasks]);
  const definition = useQuery({
    queryKey: [scope(), 'definition', run.workflow_id, run.version],
    staleTime: Infinity,
    queryFn: async () => {
      const version = await ask(api.GET('/api/workflows/{workflow_id}/versions/{version}', { params: { path: { workflow_id: run.workflow_id, version: run.version } } }));
      return (typeof version.definition === 'string' ? parse(version.definition) : version.definition) as unknown;
    },
  });
  return (
    <div className="flex flex-col gap-6 p-4 md:px-6">
      {agents.map((agent) => (
        <section key={`${agent.reference}#${agent.iteration}`} aria-label={t.agent.of(agent.name)} className={cx('flex flex-col gap-3', agent.depth > 0 && 'border-l-2 border-line pl-4')}>
          <Head agent={agent} definition={definition.data} />
          <ol className="flex flex-col gap-3">
            {agent.turns.map((turn) => (
              <TurnView key={turn.number} turn={turn} run={run} said={turn.said || (turn.task.status === 'running' ? (speech[keyOf(turn.task)] ?? '') : '')} />
            ))}
          </ol>
        </section>
      ))}
    </div>
  );
}

function Head({ agent, definition }: { agent: Agent; definition: unknown }) {
  const budget = budgetOf(definition, agent.reference);
  const now = useNow(budget.ms === undefined || agent.ended ? 0 : 1000);
  return (
    <div className="flex flex-col gap-2">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <h2 className="text-lg font-semibold">{agent.name}</h2>
        <Status status={agent.status} />
        <span className="text-sm text-muted">
          {t.agent.sum(count(agent.turns.length), count(agent.calls), count(agent.tokens))}, {agent.cost === null ? t.agent.unknownCost : t.agent.cost(money.format(agent.cost))}
        </span>
      </div>
      <Remembered kept={agent.kept} />
      <div className="flex flex-wrap gap-4 empty:hidden">
        {budget.tokens !== undefined && <Bar label={t.agent.tokenBudget} used={agent.tokens} limit={budget.tokens} say={count} />}
        {budget.ms !== undefined && <Bar label={t.agent.timeBudget} used={between(agent.started, agent.ended, now) ?? 0} limit={budget.ms} say={duration} />}
        {budget.cost !== undefined && agent.cost !== null && <Bar label={t.agent.costBudget} used={agent.cost} limit={budget.cost} say={(value) => money.format(value)} />}
        {budget.turns !== undefined && <Bar label={t.agent.turnBudget} used={agent.turns.length} limit={budget.turns} say={count} />}
        {budget.calls !== undefined && <Bar label={t.agent.callBudget} used={agent.calls} limit={budget.calls} say={count} />}
      </div>
    </div>
  );
}

/** What the agent knew from earlier runs, and what it leaves for later ones. */
function Remembered({ kept: { recalled, remembered } }: { kept: Kept }) {
  if (recalled === null && remembered === null) return null;
  return (
    <p className="flex flex-wrap gap-x-2 text-sm text-muted">
      {recalled !== null && <span>{recalled === 0 ? t.agent.nothingRecalled : t.agent.recalled(recalled)}</span>}
      {remembered !== null && <span>{t.agent.remembered(remembered)}</span>}
      <Link to="/assistant/memory" className="link">
        {t.agent.memory}
      </Link>
    </p>
  );
}

function Bar({ label, used, limit, say }: { label: string; used: number; limit: number; say: (value: number) => string }) {
  const part = Math.min(1, used / limit);
  return (
    <div className="w-56">
      <p className="flex justify-between text-xs text-muted">
        <span>{label}</span>
        <span>{t.agent.ofBudget(say(used), say(limit))}</span>
      </p>
      <div role="meter" aria-label={label} aria-valuemin={0} aria-valuemax={limit} aria-valuenow={Math.min(used, limit)} aria-valuetext={t.agent.ofBudget(say(used), say(limit))} className="mt-1 h-2 overflow-hidden rounded-sm border border-strong">
        <div className={cx('bar h-full', part > 0.9 ? 'bg-fill-fail' : part > 0.7 ? 'bg-fill-wait' : 'bg-fill-run')} style={{ width: `${part * 100}%` }} />
      </div>
    </div>
  );
}

function TurnView({ turn, run, said }: { turn: Turn; run: Schemas['Run']; said: string }) {
  const { task } = turn;
  return (
    <li className="panel flex flex-col gap-3 p-3">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1 text-sm text-muted">
        <h3 className="font-medium text-fg">{t.agent.turn(turn.number)}</h3>
        {task.status !== 'completed' && <Status status={task.status} />}
        {turn.model && <Badge>{turn.model}</Badge>}
        <span>{t.agent.tokens(count(turn.input), count(turn.output))}</span>
        {turn.cost !== null && <span>{t.agent.cost(money.format(turn.cost))}</span>}
        <Took start={task.started_at} end={task.ended_at} />
        {turn.stop && turn.stop !== 'stop' && <span>{t.agent.stops[turn.stop as keyof typeof t.agent.stops] ?? turn.stop}</span>}
      </div>
      {turn.heard.map((message, at) => (
        <Bubble key={at} who={t.agent.roles[message.role as keyof typeof t.agent.roles] ?? message.role} text={message.text} mine={false} />
      ))}
      {said && <Bubble who={t.agent.roles.assistant} text={said} mine />}
      {task.error !== null && <ErrorView error={task.error} />}
      {turn.calls.length > 0 && (
        <ul className="flex flex-col gap-1.5">
          {turn.calls.map((call) => (
            <CallView key={call.task.reference} call={call} run={run} />
          ))}
        </ul>
      )}
    </li>
  );
}

function CallView({ call: { task, kind }, run }: { call: Call; run: Schemas['Run'] }) {
  return (
    <li>
      <details open={kind === 'approval' && !task.ended_at} className="rounded-md border border-line">
        <summary className="flex cursor-pointer flex-wrap items-center gap-x-3 gap-y-1 px-3 py-1.5">
          <Wrench className="size-3.5 text-muted" aria-hidden="true" />
          <span className="font-mono text-sm">{task.name}</span>
          <Status status={task.status} {...(kind === 'approval' ? { word: t.agent.approval } : {})} />
          <Took start={task.started_at} end={task.ended_at} className="text-sm text-muted" />
        </summary>
        <div className="flex flex-col gap-2 border-t border-line p-3">
          {kind === 'approval' && !task.ended_at && (
            <Question run={run} task={task} />
          )}
          <RunValue run={run} task={task} of="input" label={t.agent.arguments(task.name)} />
          {task.error !== null ? <ErrorView error={task.error} /> : task.ended_at && <RunValue run={run} task={task} of="output" label={t.agent.answer(task.name)} />}
          <Link to="/runs/$runId" params={{ runId: run.id }} search={{ task: task.reference, view: 'timeline' }} className="link text-sm">
            {t.agent.record}
          </Link>
        </div>
      </details>
    </li>
  );
}

/** What a person is asked about a call, to be decided where it stands. */
function Question({ run, task }: { run: Schemas['Run']; task: TaskRun }) {
  const asked = useQuery(runApprovalsQuery(run.id));
  if (!asked.data) return null;
  const one = questionOf(task, asked.data.items);
  if (!one) {
    return (
      <Link to="/approvals" search={{ mine: 'true' }} className="link">
        {t.approvals.look}
      </Link>
    );
  }
  return (
    <Suspense fallback={null}>
      <ApprovalDetail approval={one} />
    </Suspense>
  );
}
