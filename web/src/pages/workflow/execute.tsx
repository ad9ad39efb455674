import { useQuery } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { api, ApiError, ask, type Schemas } from '@/api/client';
import { workflowRunsQuery } from '@/api/workflows';
import { runQuery } from '@/api/runs';
import { SAMPLES } from '@/editor/samples';
import { t } from '@/i18n/en';
import { Button } from '@/ui/button';
import { Dialog } from '@/ui/dialog';
import { Checkbox, TextArea } from '@/ui/field';
import { jsonProblem } from '@/ui/json-problem';
import { JsonView } from '@/ui/json-view';
import { check, findingsAt, type Problems } from '@/ui/schema';
import { SchemaInput } from '@/ui/schema-input';
import { FormProblem } from '@/ui/states';
import { Status } from '@/ui/status';
import { wholeValue } from '@/pages/runs/values';
import { inputSchemaOf } from './definition';

export function ExecuteDialog({ workflow, dry: dryFirst = false, close, started }: { workflow: Schemas['Workflow']; dry?: boolean; close: () => void; started: (id: string) => void }) {
  const last = useQuery(workflowRunsQuery(workflow.id, 1));
  const lastId = last.data?.items[0]?.id;
  const lastRun = useQuery({
    queryKey: [...runQuery(lastId ?? '').queryKey, 'input'],
    enabled: !!lastId,
    queryFn: async ({ client }) => ({ input: await wholeValue(await client.fetchQuery(runQuery(lastId ?? '')), null, 'input') }),
  });
  const [schema] = useState(() => inputSchemaOf(workflow.definition));
  const form = useRef<HTMLFormElement>(null);
  const [typed, setTyped] = useState<string | null>(null);
  const [filled, setFilled] = useState<Record<string, unknown> | null>(null);
  const [tried, setTried] = useState(false);
  const [refused, setRefused] = useState<Problems>({});
  const [dry, setDry] = useState(dryFirst);
  const [planned, setPlanned] = useState<Schemas['Run'] | null>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  // Text that is replaced under the cursor gets mixed with what is being typed.
  const arriving = last.isLoading || lastRun.isLoading;
  const sample = SAMPLES.find((one) => one.text === workflow.definition);
  const offered = lastRun.data ? lastRun.data.input : sample?.input;
  const value = filled ?? (offered !== null && typeof offered === 'object' && !Array.isArray(offered) ? (offered as Record<string, unknown>) : {});
  const text = typed ?? (offered === undefined || offered === null ? '{}' : JSON.stringify(offered, null, 2));
  const problem = schema ? null : jsonProblem(text);
  const found = schema ? check(schema, value) : {};
  const fill = (now: Record<string, unknown>) => {
    setFilled(now);
    setRefused({});
  };
  const run = async () => {
    setTried(true);
    if (Object.keys(found).length > 0) {
      requestAnimationFrame(() => form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus());
      return;
    }
    setBusy(true);
    setError(null);
    try {
      const outcome = await ask(
        api.POST('/api/workflows/{workflow_id}/execute', {
          params: { path: { workflow_id: workflow.id } },
          body: { input: schema ? value : (JSON.parse(text || 'null') as unknown), ...(dry ? { dry_run: true, wait: 20 } : {}) },
        }),
      );
      if (!dry) return started(outcome.id);
      setPlanned(await ask(api.GET('/api/runs/{run_id}', { params: { path: { run_id: outcome.id } } })));
      setBusy(false);
    } catch (failed) {
      if (failed instanceof ApiError) setRefused(findingsAt('/input', failed.problem.errors ?? []).inside);
      setError(failed);
      setBusy(false);
    }
  };
  if (planned) return <Planned run={planned} close={close} again={() => setPlanned(null)} whole={() => started(planned.id)} />;
  return (
    <Dialog
      open
      onClose={close}
      title={t.execute.title(workflow.name)}
      description={t.execute.version(workflow.version)}
      footer={
        <>
          <Button onClick={close}>{t.common.cancel}</Button>
          <Button kind="primary" type="submit" form="execute" busy={busy} disabled={problem !== null || arriving}>
            {dry ? t.execute.dryRun : t.workflows.run}
          </Button>
        </>
      }
    >
      <form
        id="execute"
        ref={form}
        noValidate
        className="flex flex-col gap-3 pb-2"
        onSubmit={(event) => {
          event.preventDefault();
          void run();
        }}
      >
        {schema ? (
          <SchemaInput schema={schema} value={value} onChange={fill} problems={tried ? { ...refused, ...found } : refused} label={t.execute.input} />
        ) : (
          <TextArea
            label={t.execute.input}
            hint={lastRun.data && typed === null ? t.execute.lastInput : t.execute.inputHint}
            error={problem ?? undefined}
            className="min-h-40 font-mono text-sm"
            spellCheck={false}
            value={text}
            readOnly={arriving}
            aria-busy={arriving}
            onChange={(event) => setTyped(event.target.value)}
          />
        )}
        <Checkbox label={t.execute.dry} hint={t.execute.dryHint} checked={dry} onChange={(event) => setDry(event.target.checked)} />
        <FormProblem error={error} />
      </form>
    </Dialog>
  );
}

type Step = { action?: unknown };

/** Of each task that reaches outside, what it said that it would do. */
function plansOf(run: Schemas['Run']): { name: string; reference: string; plan: Step[] }[] {
  return run.tasks.flatMap((task) => {
    const output = task.output as { dry_run?: unknown; plan?: unknown } | null;
    const plan = output !== null && typeof output === 'object' && output.dry_run === true && Array.isArray(output.plan) ? (output.plan as Step[]) : null;
    return plan ? [{ name: task.name, reference: task.reference, plan }] : [];
  });
}

function Planned({ run, close, again, whole }: { run: Schemas['Run']; close: () => void; again: () => void; whole: () => void }) {
  const plans = plansOf(run);
  return (
    <Dialog
      open
      onClose={close}
      wide
      title={t.execute.planOf}
      description={t.execute.dryHint}
      footer={
        <>
          <Button kind="quiet" className="mr-auto" onClick={again}>
            {t.execute.again}
          </Button>
          <Button onClick={whole}>{t.execute.whole}</Button>
          <Button kind="primary" onClick={close}>
            {t.common.close}
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-3 pb-2">
        <Status status={run.status} />
        {plans.length === 0 && <p>{t.execute.noPlan}</p>}
        <ol className="flex flex-col gap-3">
          {plans.map((task, at) => (
            <li key={at} className="flex flex-col gap-1">
              <span className="font-medium">{task.name}</span>
              <JsonView value={task.plan} label={task.name} />
            </li>
          ))}
        </ol>
      </div>
    </Dialog>
  );
}
