import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ask, type Schemas } from '@/api/client';
import { workflowRunsQuery } from '@/api/workflows';
import { runQuery } from '@/api/runs';
import { SAMPLES } from '@/editor/samples';
import { t } from '@/i18n/en';
import { Button } from '@/ui/button';
import { Dialog } from '@/ui/dialog';
import { Checkbox, TextArea } from '@/ui/field';
import { FormProblem } from '@/ui/states';

export function jsonProblem(text: string): string | null {
  try {
    JSON.parse(text || 'null');
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

export function ExecuteDialog({ workflow, close, started }: { workflow: Schemas['Workflow']; close: () => void; started: (id: string) => void }) {
  const last = useQuery(workflowRunsQuery(workflow.id, 1));
  const lastId = last.data?.items[0]?.id;
  const lastRun = useQuery({ ...runQuery(lastId ?? ''), enabled: !!lastId });
  const [typed, setTyped] = useState<string | null>(null);
  const [dry, setDry] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const sample = SAMPLES.find((one) => one.text === workflow.definition);
  const offered = lastRun.data ? lastRun.data.input : sample?.input;
  const text = typed ?? (offered === undefined || offered === null ? '{}' : JSON.stringify(offered, null, 2));
  const problem = jsonProblem(text);
  const run = async () => {
    setBusy(true);
    setError(null);
    try {
      const outcome = await ask(
        api.POST('/api/workflows/{workflow_id}/execute', {
          params: { path: { workflow_id: workflow.id } },
          body: { input: JSON.parse(text || 'null') as unknown, ...(dry ? { dry_run: true } : {}) },
        }),
      );
      started(outcome.id);
    } catch (failed) {
      setError(failed);
      setBusy(false);
    }
  };
  return (
    <Dialog
      open
      onClose={close}
      title={t.execute.title(workflow.name)}
      description={t.execute.version(workflow.version)}
      footer={
        <>
          <Button onClick={close}>{t.common.cancel}</Button>
          <Button kind="primary" type="submit" form="execute" busy={busy} disabled={problem !== null}>
            {dry ? t.execute.dryRun : t.workflows.run}
          </Button>
        </>
      }
    >
      <form
        id="execute"
        className="flex flex-col gap-3 pb-2"
        onSubmit={(event) => {
          event.preventDefault();
          void run();
        }}
      >
        <TextArea
          label={t.execute.input}
          hint={lastRun.data && typed === null ? t.execute.lastInput : t.execute.inputHint}
          error={problem ?? undefined}
          className="min-h-40 font-mono text-sm"
          spellCheck={false}
          value={text}
          onChange={(event) => setTyped(event.target.value)}
        />
        <Checkbox label={t.execute.dry} hint={t.execute.dryHint} checked={dry} onChange={(event) => setDry(event.target.checked)} />
        <FormProblem error={error} />
      </form>
    </Dialog>
  );
}
