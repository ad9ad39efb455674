import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { api, ask, type Schemas } from '@/api/client';
import { callHook, type HookAnswer, signature } from '@/api/hooks';
import { workflowQuery } from '@/api/workflows';
import { scope, useMay } from '@/app/session';
import { t } from '@/i18n/en';
import { ScheduleTable } from '@/pages/more/schedules';
import { Button } from '@/ui/button';
import { Confirm } from '@/ui/confirm';
import { Select, TextArea, TextField } from '@/ui/field';
import { duration } from '@/ui/format';
import { jsonProblem } from '@/ui/json-problem';
import { CopyButton } from '@/ui/copy-button';
import { Section } from '@/ui/page';
import { FormProblem, Loading, ProblemView } from '@/ui/states';
import { Status } from '@/ui/status';
import { toast } from '@/ui/toast';
import { type Webhook, webhookOf } from './definition';

const SCHEDULE = `document:
  metadata: { timezone: Europe/Berlin }
schedule:
  cron: '0 6 * * MON-FRI'`;
const FILES = `document:
  metadata:
    files: { folder: inbox, glob: '*.csv', on: [created, changed] }`;
const WEBHOOK = `document:
  metadata:
    webhook: { wait: true }`;

export function TriggersPage() {
  const { workflowId } = useParams({ from: '/inside/workflows/$workflowId/triggers' });
  const workflow = useQuery(workflowQuery(workflowId));
  const schedules = useQuery({
    queryKey: [scope(), 'schedules', workflowId],
    queryFn: () => ask(api.GET('/api/schedules', { params: { query: { limit: 200, workflow_id: workflowId } } })),
    refetchInterval: 30_000,
  });
  if (!workflow.data) return null;
  const hook = workflow.data.triggers.find((trigger) => trigger.type === 'webhook');
  return (
    <div className="mx-auto flex max-w-6xl flex-col gap-8 overflow-y-auto p-4 md:h-full md:px-6">
      <Section title={t.triggers.webhook} {...(hook ? { hint: t.triggers.webhookHint } : {})}>
        {hook ? (
          <Hook workflow={workflow.data} url={typeof hook['url'] === 'string' ? hook['url'] : null} rule={webhookOf(workflow.data.definition)} />
        ) : (
          <How none={t.triggers.noWebhook} how={t.triggers.webhookHow} lines={WEBHOOK} />
        )}
      </Section>
      <Section title={t.triggers.schedules}>
        {schedules.isPending && <Loading rows={2} />}
        {schedules.error && <ProblemView error={schedules.error} retry={() => void schedules.refetch()} />}
        {schedules.data?.items.length === 0 && (
          <>
            <How none={t.triggers.noSchedules} how={t.triggers.scheduleHow} lines={SCHEDULE} />
            <How how={t.triggers.filesHow} lines={FILES} label={t.triggers.filesSnippet} />
          </>
        )}
        {(schedules.data?.items.length ?? 0) > 0 && <ScheduleTable items={schedules.data?.items ?? []} ofOne />}
      </Section>
    </div>
  );
}

function How({ none = '', how, lines, label = t.triggers.snippet }: { none?: string; how: string; lines: string; label?: string }) {
  return (
    <div className="flex flex-col gap-2">
      <p className="text-muted">
        {none} {how}
      </p>
      <Snippet text={lines} label={label} />
    </div>
  );
}

function Snippet({ text, label }: { text: string; label: string }) {
  return (
    <div className="panel relative">
      <pre tabIndex={0} aria-label={label} className="overflow-x-auto p-3 pr-12 font-mono text-sm">
        {text}
      </pre>
      <span className="absolute top-1 right-1">
        <CopyButton text={text} label={`${t.common.copy}: ${label}`} />
      </span>
    </div>
  );
}

function Hook({ workflow, url, rule }: { workflow: Schemas['Workflow']; url: string | null; rule: Webhook }) {
  const executes = useMay('member');
  const queries = useQueryClient();
  const [asking, setAsking] = useState(false);
  const address = url ? location.origin + url : null;
  return (
    <div className="flex flex-col gap-4">
      <div className="panel flex flex-col gap-2 p-4">
        {address ? (
          <div className="flex flex-wrap items-center gap-2">
            <span className="font-medium">{t.triggers.address}</span>
            <code className="min-w-0 flex-1 basis-64 font-mono text-sm break-all">{address}</code>
            <CopyButton text={address} label={`${t.common.copy}: ${t.triggers.address}`} />
            {executes && <Button onClick={() => setAsking(true)}>{t.triggers.rotate}</Button>}
          </div>
        ) : (
          <p className="text-muted">{t.triggers.hidden}</p>
        )}
        <ul className="text-sm text-muted">
          <li>{rule.wait ? t.triggers.waits : t.triggers.answersAtOnce}</li>
          <li>{rule.secret ? t.triggers.signed(rule.secret, rule.scheme ?? t.triggers.anyScheme) : t.triggers.unsigned}</li>
        </ul>
      </div>
      {address && executes && (
        <div className="grid gap-4 lg:grid-cols-2">
          <TestCall address={address} rule={rule} />
          <div className="flex min-w-0 flex-col gap-2">
            <h3 className="font-medium">{t.triggers.example}</h3>
            <Snippet text={shellOf(address, rule)} label={t.triggers.example} />
          </div>
        </div>
      )}
      {asking && (
        <Confirm
          title={t.triggers.rotate}
          text={t.triggers.rotateSure}
          button={t.triggers.rotate}
          close={() => setAsking(false)}
          act={async () => {
            const now = await ask(api.POST('/api/workflows/{workflow_id}/webhook/rotate', { params: { path: { workflow_id: workflow.id } } }));
            queries.setQueryData(workflowQuery(workflow.id).queryKey, now);
            toast.done(t.triggers.rotated);
          }}
        />
      )}
    </div>
  );
}

function shellOf(address: string, rule: Webhook): string {
  const call = ["curl -X POST -H 'Content-Type: application/json' -d \"$body\" \\", `  ${address}`];
  if (!rule.secret) return ["body='{\"hello\": \"world\"}'", ...call].join('\n');
  const github = rule.scheme === 'github';
  const header = github ? 'X-Hub-Signature-256: sha256=$v1' : `${rule.scheme === 'stripe' ? 'Stripe-Signature' : 'X-Pawl-Signature'}: t=$t,v1=$v1`;
  return [
    "body='{\"hello\": \"world\"}'",
    `secret='...'   # the value of ${rule.secret}`,
    ...(github ? [] : ['t=$(date +%s)']),
    `v1=$(printf '${github ? '%s' : '%s.%s'}' ${github ? '' : '"$t" '}"$body" \\`,
    '  | openssl dgst -sha256 -hmac "$secret" -r | cut -d\' \' -f1)',
    `curl -X POST -H "${header}" \\`,
    "  -H 'Content-Type: application/json' -d \"$body\" \\",
    `  ${address}`,
  ].join('\n');
}

/** The run that an answer names. */
function runOf(answer: HookAnswer): string | null {
  try {
    const { id } = JSON.parse(answer.body) as { id?: unknown };
    return answer.status === 202 && typeof id === 'string' ? id : null;
  } catch {
    return null;
  }
}

function TestCall({ address, rule }: { address: string; rule: Webhook }) {
  const [method, setMethod] = useState('POST');
  const [body, setBody] = useState('{"hello": "world"}');
  const [secret, setSecret] = useState('');
  const problem = method === 'GET' ? null : jsonProblem(body);
  const signs = rule.secret !== null && (rule.scheme ?? 'pawl') === 'pawl';
  const send = useMutation({
    mutationFn: async () => callHook(address, method, method === 'GET' ? '' : body, signs && secret ? { 'X-Pawl-Signature': await signature(secret, method === 'GET' ? '' : body) } : {}),
  });
  const run = send.data && runOf(send.data);
  return (
    <form
      className="flex min-w-0 flex-col gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        send.mutate();
      }}
    >
      <div>
        <h3 className="font-medium">{t.triggers.call}</h3>
        <p className="text-sm text-muted">{t.triggers.callHint}</p>
      </div>
      <Select label={t.triggers.method} value={method} onChange={(event) => setMethod(event.target.value)} options={['POST', 'GET', 'PUT', 'PATCH', 'DELETE'].map((value) => ({ value, label: value }))} />
      {method !== 'GET' && <TextArea label={t.triggers.body} error={problem ?? undefined} className="min-h-20 font-mono text-sm" spellCheck={false} value={body} onChange={(event) => setBody(event.target.value)} />}
      {signs && (
        <TextField
          label={t.triggers.secret}
          hint={isSecureContext ? t.triggers.secretHint : t.triggers.noCrypto}
          type="password"
          autoComplete="off"
          disabled={!isSecureContext}
          value={secret}
          onChange={(event) => setSecret(event.target.value)}
        />
      )}
      <Button type="submit" className="self-start" busy={send.isPending} disabled={problem !== null}>
        {t.triggers.send}
      </Button>
      <FormProblem error={send.error} />
      <output className="flex flex-col gap-2 empty:hidden">
        {send.data && (
          <>
            <span className="flex flex-wrap items-center gap-x-4">
              <Status status={send.data.status < 300 ? 'completed' : 'faulted'} word={t.triggers.answer(send.data.status, duration(send.data.ms))} />
              {run && (
                <Link to="/runs/$runId" params={{ runId: run }} className="link">
                  {t.triggers.openRun}
                </Link>
              )}
            </span>
            <pre tabIndex={0} aria-label={t.triggers.answer(send.data.status, '')} className="panel max-h-40 overflow-auto p-2 font-mono text-sm break-words whitespace-pre-wrap">
              {send.data.body}
            </pre>
          </>
        )}
      </output>
    </form>
  );
}
