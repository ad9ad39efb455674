import { useState } from 'react';
import { api, ApiError, ask, type Schemas } from '@/api/client';
import { t } from '@/i18n/en';
import { Button } from '@/ui/button';
import { Dialog } from '@/ui/dialog';
import { TextField } from '@/ui/field';
import { FormProblem } from '@/ui/states';

type Workflow = Schemas['Workflow'];

export default function SaveDialog({ workflow, text, base, close, done }: { workflow: Workflow | undefined; text: string; base: number; close: () => void; done: (now: Workflow) => void }) {
  const [summary, setSummary] = useState('');
  const [name, setName] = useState(() => /^\s+name:\s*['"]?([\w.-]+)/m.exec(text)?.[1] ?? '');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const conflict = error instanceof ApiError && error.code === 'workflow.version_conflict';
  const save = async (expected: number | null) => {
    setBusy(true);
    setError(null);
    try {
      done(
        workflow
          ? await ask(
              api.PUT('/api/workflows/{workflow_id}', {
                params: { path: { workflow_id: workflow.id } },
                body: { definition: text, ...(summary ? { change_summary: summary } : {}), ...(expected === null ? {} : { expected_version: expected }) },
              }),
            )
          : await ask(api.POST('/api/workflows', { body: { definition: text, ...(name ? { name } : {}) } })),
      );
    } catch (problem) {
      setError(problem);
    }
    setBusy(false);
  };
  return (
    <Dialog
      open
      onClose={close}
      title={workflow ? t.editor.saveTitle(base + 1) : t.editor.createTitle}
      footer={
        <>
          <Button onClick={close}>{t.common.cancel}</Button>
          {conflict ? (
            <Button kind="danger" busy={busy} onClick={() => void save(null)}>
              {t.editor.saveAnyway}
            </Button>
          ) : (
            <Button kind="primary" type="submit" form="save" busy={busy}>
              {t.common.save}
            </Button>
          )}
        </>
      }
    >
      <form
        id="save"
        className="flex flex-col gap-3 pb-2"
        onSubmit={(event) => {
          event.preventDefault();
          void save(workflow ? base : null);
        }}
      >
        {workflow ? (
          <TextField label={t.editor.summary} hint={t.editor.summaryHint} value={summary} maxLength={200} onChange={(event) => setSummary(event.target.value)} />
        ) : (
          <TextField label={t.workflows.name} value={name} required onChange={(event) => setName(event.target.value)} />
        )}
        {conflict ? <p role="alert" className="text-fail">{t.editor.conflict}</p> : <FormProblem error={error} />}
      </form>
    </Dialog>
  );
}
