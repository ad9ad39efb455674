import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Wrench } from 'lucide-react';
import { Suspense, useMemo, useState } from 'react';
import { parse } from 'yaml';
import { runApprovalsQuery } from '@/api/approvals';
import { api, ask, type Schemas } from '@/api/client';
import { usePageKeys } from '@/app/keys';
import { scope } from '@/app/session';
import { t } from '@/i18n/en';
import { cx } from '@/ui/cx';
import { amount, between, count, duration } from '@/ui/format';
import { part } from '@/ui/part';
import { Badge, Status, StatusShape } from '@/ui/status';
import { Took, useNow } from '@/ui/time';
import { ErrorView } from '@/ui/error-view';
import { Bubble } from './bubble';
import { Refusal } from './planned';
import { keyOf, type TaskRun } from './tasks';
import { type Reading, READINGS } from './reading';
import { type Agent, agentsOf, budgetOf, type Call, type Kept, questionOf, type Turn } from './trace';
import { RunValue, useWhole } from './values';

const ApprovalDetail = part(async () => ({ default: (await import('@/pages/approvals/detail')).ApprovalDetail }));
const money = (cost: number) => `$${amount(cost, 6)}`;

/** What is told of word for word, or counted: turns, what was remembered, what people are asked about. */
const isRead = (task: TaskRun) => task.type === 'model' || task.type === 'approval' || /\/(recall|remember)$/.test(task.reference);

/** What the agents of a run said, called and took: as a conversation, turn by turn, or value by value. */
export default function AgentView({ run, speech, reading, read }: { run: Schemas['Run']; speech: Record<string, string>; reading: Reading; read: (as: Reading | undefined) => void }) {
  usePageKeys({ m: () => read('messages'), t: () => read(undefined), d: () => read('details') });
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
      <div role="group" aria-label={t.agent.readings} className="inline-flex self-start rounded-md border border-strong p-0.5 text-sm">
        {READINGS.map((name) => (
          <button key={name} type="button" aria-pressed={reading === name} title={t.agent.key(name[0] ?? '')} onClick={() => read(name === 'turns' ? undefined : name)} className="min-h-7 rounded-sm px-3 text-muted hover:text-fg aria-pressed:bg-hover aria-pressed:font-medium aria-pressed:text-fg pointer-coarse:min-h-10">
            {t.agent.reading[name]}
          </button>
        ))}
      </div>
      {agents.map((agent) => (
        <section key={`${agent.reference}#${agent.iteration}`} aria-label={t.agent.of(agent.name)} className={cx('flex flex-col gap-3', agent.depth > 0 && 'border-l-2 border-line pl-4')}>
          <Head agent={agent} definition={definition.data} />
          {reading === 'details' ? (
            <Details agent={agent} run={run} />
          ) : (
            <ol className="flex flex-col gap-3">
              {agent.turns.map((turn) => (
                <TurnView key={turn.number} turn={turn} run={run} bare={reading === 'messages'} said={turn.said || (turn.task.status === 'running' ? (speech[keyOf(turn.task)] ?? '') : '')} />
              ))}
            </ol>
          )}
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
          {t.agent.sum(count(agent.turns.length), count(agent.calls), count(agent.tokens))}, {agent.cost === null ? t.agent.unknownCost : t.agent.cost(money(agent.cost))}
        </span>
      </div>
      <Remembered kept={agent.kept} />
      <div className="flex flex-wrap gap-4 empty:hidden">
        {budget.tokens !== undefined && <Bar label={t.agent.tokenBudget} used={agent.tokens} limit={budget.tokens} say={count} />}
        {budget.ms !== undefined && <Bar label={t.agent.timeBudget} used={between(agent.started, agent.ended, now) ?? 0} limit={budget.ms} say={duration} />}
        {budget.cost !== undefined && agent.cost !== null && <Bar label={t.agent.costBudget} used={agent.cost} limit={budget.cost} say={money} />}
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
  const share = Math.min(1, used / limit);
  return (
    <div className="w-56">
      <p className="flex justify-between text-xs text-muted">
        <span>{label}</span>
        <span>{t.agent.ofBudget(say(used), say(limit))}</span>
      </p>
      <div role="meter" aria-label={label} aria-valuemin={0} aria-valuemax={limit} aria-valuenow={Math.min(used, limit)} aria-valuetext={t.agent.ofBudget(say(used), say(limit))} className="mt-1 h-2 overflow-hidden rounded-sm border border-strong">
        <div className={cx('bar h-full', share > 0.9 ? 'bg-fill-fail' : share > 0.7 ? 'bg-fill-wait' : 'bg-fill-run')} style={{ width: `${share * 100}%` }} />
      </div>
    </div>
  );
}

/** With what it took, or bare: only what was said and called. */
function TurnView({ turn, run, bare, said }: { turn: Turn; run: Schemas['Run']; bare: boolean; said: string }) {
  const { task } = turn;
  return (
    <li className={bare ? 'flex max-w-4xl flex-col gap-3' : 'panel flex flex-col gap-3 p-3'}>
      <div className={bare ? 'sr-only' : 'flex flex-wrap items-center gap-x-3 gap-y-1 text-sm text-muted'}>
        <h3 className="font-medium text-fg">{t.agent.turn(turn.number)}</h3>
        {task.status !== 'completed' && <Status status={task.status} />}
        {turn.model && <Badge>{turn.model}</Badge>}
        <span>{t.agent.tokens(count(turn.input), count(turn.output))}</span>
        {turn.cost !== null && <span>{t.agent.cost(money(turn.cost))}</span>}
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
          <Refusal run={run} task={task} />
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

/** Every record of the agent at the left, its values at the right. */
function Details({ agent, run }: { agent: Agent; run: Schemas['Run'] }) {
  const records = agent.turns.flatMap((turn) => [
    { task: turn.task, name: t.agent.turn(turn.number), depth: 0, turn },
    ...turn.calls.map((call) => ({ task: call.task, name: call.task.name, depth: 1, turn: null })),
  ]);
  const [chosen, setChosen] = useState<string | null>(null);
  const at = Math.max(0, records.findIndex(({ task }) => keyOf(task) === chosen));
  const record = records[at];
  if (!record) return null;
  const { task, turn } = record;
  return (
    <div className="panel flex flex-col md:flex-row">
      <ul aria-label={t.agent.records(agent.name)} className="max-h-64 shrink-0 overflow-y-auto border-line p-1 max-md:border-b md:max-h-[70dvh] md:w-64 md:border-r">
        {records.map((one, index) => (
          <li key={keyOf(one.task)}>
            <button type="button" aria-pressed={index === at} onClick={() => setChosen(keyOf(one.task))} style={{ paddingLeft: 8 + one.depth * 16 }} className="flex min-h-8 w-full items-center gap-2 rounded-md pr-2 text-left hover:bg-hover aria-pressed:bg-hover aria-pressed:font-medium pointer-coarse:min-h-11">
              <StatusShape status={one.task.status} />
              <span className={cx('min-w-0 flex-1 truncate', one.depth > 0 && 'font-mono text-sm')}>{one.name}</span>
              <Took start={one.task.started_at} end={one.task.ended_at} className="shrink-0 text-xs text-muted" />
            </button>
          </li>
        ))}
      </ul>
      <section aria-label={t.agent.chosen(record.name)} className="flex min-w-0 flex-1 flex-col gap-3 p-3">
        <div className="flex flex-wrap items-center gap-x-3 gap-y-1 text-sm text-muted">
          <h3 className="text-base font-medium text-fg">{record.name}</h3>
          <Status status={task.status} />
          {turn?.model && <Badge>{turn.model}</Badge>}
          {turn && <span>{t.agent.tokens(count(turn.input), count(turn.output))}</span>}
          {turn && turn.cost !== null && <span>{t.agent.cost(money(turn.cost))}</span>}
          <Took start={task.started_at} end={task.ended_at} />
          <Link to="/runs/$runId" params={{ runId: run.id }} search={{ task: keyOf(task), view: 'timeline' }} className="link">
            {t.agent.record}
          </Link>
        </div>
        <Refusal run={run} task={task} />
        <h4 className="text-sm font-medium">{t.agent.asked}</h4>
        <RunValue key={`${keyOf(task)} in`} run={run} task={task} of="input" label={t.agent.asked} />
        {task.error !== null ? (
          <ErrorView error={task.error} />
        ) : (
          task.ended_at && (
            <>
              <h4 className="text-sm font-medium">{t.agent.answered}</h4>
              <RunValue key={`${keyOf(task)} out`} run={run} task={task} of="output" label={t.agent.answered} />
            </>
          )
        )}
      </section>
    </div>
  );
}
