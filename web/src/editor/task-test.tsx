// One task alone, as a dry run: with what came in at the last run, or with what one writes.
import { useMutation, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { X } from 'lucide-react';
import { type ReactNode, useMemo, useState } from 'react';
import { api, ask, type Schemas } from '@/api/client';
import { workflowRunsQuery } from '@/api/workflows';
import { scope } from '@/app/session';
import { t } from '@/i18n/en';
import { taskTest as words } from '@/i18n/en-task-test';
import { Button, IconButton } from '@/ui/button';
import { ErrorView } from '@/ui/error-view';
import { TextArea } from '@/ui/field';
import { jsonProblem } from '@/ui/json-problem';
import { JsonView } from '@/ui/json-view';
import { FormProblem } from '@/ui/states';
import { Status } from '@/ui/status';
import { variablesAround } from './around';
import { contextBefore } from './exported';
import { keepPin, type Pin, pinOf } from './pins';

type Result = Schemas['TaskTestResult'];
const RUNS = 5;

const pretty = (value: unknown) => JSON.stringify(value, null, 2) ?? 'null';

/** What came into the task when it ran last, and what the context was. */
function useLast(workflow: Schemas['Workflow'] | undefined, text: string, task: string, name: string) {
  const id = workflow?.id ?? '';
  const last = useQuery({
    queryKey: [scope(), 'runs', 'input of', id, task, name],
    enabled: workflow !== undefined,
    queryFn: async ({ client }) => {
      const { items } = await client.fetchQuery(workflowRunsQuery(id, RUNS));
      for (const { id: run } of items) {
        const { tasks } = await ask(api.GET('/api/runs/{run_id}', { params: { path: { run_id: run } } }));
        const found = tasks.findLast((one) => one.reference === task && one.name === name) ?? tasks.findLast((one) => one.name === name);
        if (found) return { input: found.input, found, tasks };
      }
      return null;
    },
  });
  const { data } = last;
  const context = useMemo(() => (data ? contextBefore(text, data.tasks, data.found) : undefined), [data, text]);
  return { ...last, context };
}

function objectProblem(text: string): string | undefined {
  const problem = jsonProblem(text);
  if (problem) return problem;
  const value = JSON.parse(text || '{}') as unknown;
  return value === null || typeof value !== 'object' || Array.isArray(value) ? words.noObject : undefined;
}

type Props = { workflow: Schemas['Workflow'] | undefined; text: string; saved: boolean; task: string; name: string; close: () => void };

export default function TaskTest({ workflow, text, saved, task, name, close }: Props) {
  const of = workflow?.id ?? 'new';
  const last = useLast(workflow, text, task, name);
  const [pin, setPin] = useState(() => pinOf(of, task));
  const around = useMemo(() => variablesAround(text, task), [text, task]);
  const input = pin.input ?? pretty(last.data?.input ?? {});
  const context = pin.context ?? pretty(last.context ?? {});
  const variables = pin.variables ?? pretty(Object.fromEntries(around.map((one) => [one, null])));
  const keep = (change: Pin) => {
    const now = { ...pin, ...change };
    setPin(now);
    keepPin(of, task, now);
  };
  const problems = { input: jsonProblem(input) ?? undefined, context: objectProblem(context), variables: objectProblem(variables) };
  // Nobody types into what is replaced under the cursor.
  const arriving = last.isLoading;
  const test = useMutation({
    mutationFn: () =>
      ask(
        api.POST('/api/workflows/test-task', {
          body: {
            task,
            ...(workflow ? { workflow_id: workflow.id } : {}),
            ...(saved && workflow ? { version: workflow.version } : { definition: text }),
            input: JSON.parse(input || 'null') as unknown,
            context: JSON.parse(context || '{}') as unknown,
            variables: JSON.parse(variables || '{}') as unknown,
          },
        }),
      ),
  });
  const pinned = Object.keys(pin).length > 0;
  return (
    <aside aria-label={words.panel(name)} className="flex max-h-[60%] min-h-56 shrink-0 flex-col gap-3 overflow-y-auto border-t border-line bg-raised px-4 py-3">
      <div className="flex items-start gap-2">
        <div className="min-w-0 flex-1">
          <h2 className="truncate font-semibold">{words.title(name)}</h2>
          <p className="text-sm text-muted">{words.hint}</p>
        </div>
        <IconButton label={t.common.close} onClick={close}>
          <X className="size-4" aria-hidden="true" />
        </IconButton>
      </div>
      <form
        className="flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          test.mutate();
        }}
      >
        <TextArea
          label={words.input}
          hint={pin.input !== undefined ? words.kept : last.data ? words.lastInput : words.inputHint}
          error={problems.input}
          className="min-h-24 font-mono text-sm"
          spellCheck={false}
          readOnly={arriving}
          aria-busy={arriving}
          value={input}
          onChange={(event) => keep({ input: event.target.value })}
        />
        <div className="grid gap-3 empty:hidden sm:grid-cols-2">
          {(around.length > 0 || pin.variables !== undefined) && (
            <TextArea label={words.variables} hint={words.variablesHint} error={problems.variables} className="min-h-16 font-mono text-sm" spellCheck={false} value={variables} onChange={(event) => keep({ variables: event.target.value })} />
          )}
          {(text.includes('$context') || pin.context !== undefined) && (
            <TextArea label={words.context} hint={pin.context === undefined && last.context ? words.lastContext : words.contextHint} error={problems.context} className="min-h-16 font-mono text-sm" spellCheck={false} value={context} onChange={(event) => keep({ context: event.target.value })} />
          )}
        </div>
        <div className="flex flex-wrap items-center gap-3">
          <Button kind="primary" type="submit" busy={test.isPending} disabled={arriving || Object.values(problems).some(Boolean)}>
            {words.start}
          </Button>
          {pinned && (
            <button
              type="button"
              className="link min-h-6 text-sm"
              onClick={() => {
                setPin({});
                keepPin(of, task, {});
              }}
            >
              {words.back}
            </button>
          )}
        </div>
        <FormProblem error={test.error} />
      </form>
      <output className="flex flex-col gap-3 empty:hidden">{test.data && !test.isPending && <Tested result={test.data} />}</output>
    </aside>
  );
}

function Tested({ result }: { result: Result }) {
  const inside = result.tasks.filter((one) => one.reference !== result.reference);
  return (
    <>
      <p className="flex flex-wrap items-center gap-x-4 gap-y-1 border-t border-line pt-3">
        <Status status={result.status} className="font-medium" />
        {result.next && <span className="text-sm">{words.goesOn(result.next)}</span>}
        <Link to="/runs/$runId" params={{ runId: result.run_id }} className="link text-sm">
          {words.whole}
        </Link>
      </p>
      {result.error !== null && result.error !== undefined && (
        <Part title={words.error}>
          <ErrorView error={result.error} />
        </Part>
      )}
      {result.plan !== null && result.plan !== undefined ? (
        <Part title={words.plan}>
          <JsonView value={result.plan} label={words.plan} />
        </Part>
      ) : (
        <Part title={words.output}>
          <JsonView value={result.output} label={words.output} />
        </Part>
      )}
      {inside.length > 0 && (
        <Part title={words.inside}>
          <ul className="panel divide-y divide-line text-sm">
            {inside.map((one, at) => (
              <li key={at} className="flex flex-wrap items-center gap-x-3 px-3 py-1.5">
                <Status status={one.status} />
                <span className="font-medium">{one.name}</span>
                <span className="min-w-0 font-mono text-xs break-all text-muted">{one.reference}</span>
              </li>
            ))}
          </ul>
        </Part>
      )}
    </>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="flex flex-col gap-1.5">
      <h3 className="text-sm font-medium">{title}</h3>
      {children}
    </section>
  );
}
