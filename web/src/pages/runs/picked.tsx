// What can be done with several runs at once.
import { useMutation } from '@tanstack/react-query';
import { RotateCcw, Square } from 'lucide-react';
import { useState } from 'react';
import { api, ask, type Schemas } from '@/api/client';
import { t } from '@/i18n/en';
import { Button } from '@/ui/button';
import { Confirm } from '@/ui/confirm';
import { problemText } from '@/ui/states';
import { toast } from '@/ui/toast';

type Item = Schemas['RunItem'];
const OPEN = ['pending', 'running', 'waiting', 'suspended'];
/** So many requests at a time: others have theirs, too. */
const AT_ONCE = 4;

/** Asks for each of them; answers why those failed that did. */
async function forEach(runs: readonly Item[], act: (id: string) => Promise<unknown>): Promise<unknown[]> {
  const queue = [...runs];
  const failures: unknown[] = [];
  const lane = async () => {
    for (let run = queue.shift(); run; run = queue.shift()) await act(run.id).catch((error: unknown) => failures.push(error));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return failures;
}

export function PickedRuns({ runs, listed, all, none, done }: { runs: Item[]; listed: number; all: () => void; none: () => void; done: () => void }) {
  const [sure, setSure] = useState(false);
  const failed = runs.filter((run) => run.status === 'faulted' && !run.dry_run);
  const open = runs.filter((run) => OPEN.includes(run.status));
  const told = (sent: number, failures: unknown[], text: (number: number) => string) => {
    if (sent > failures.length) toast.done(text(sent - failures.length));
    if (failures.length > 0) {
      const { title, detail } = problemText(failures[0]);
      toast.failed(new Error(t.runs.notAll(failures.length, detail || title)));
    }
    none();
    done();
  };
  const retry = useMutation({
    mutationFn: () => forEach(failed, (id) => ask(api.POST('/api/runs/{run_id}/retry', { params: { path: { run_id: id } }, body: {} }))),
    onSuccess: (failures) => told(failed.length, failures, t.runs.retried),
  });
  const cancel = async () => {
    const failures = await forEach(open, (id) => ask(api.POST('/api/runs/{run_id}/cancel', { params: { path: { run_id: id } }, body: {} })));
    told(open.length, failures, t.runs.cancelled);
  };
  return (
    <section aria-label={t.runs.pickedLabel} className="sticky bottom-3 z-10 max-md:bottom-16 flex flex-wrap items-center gap-2 self-center rounded-lg border border-line bg-raised px-3 py-2 shadow-layer max-sm:self-stretch">
      <span className="font-medium" aria-live="polite">
        {t.runs.picked(runs.length)}
      </span>
      {failed.length > 0 && (
        <Button kind="primary" busy={retry.isPending} onClick={() => retry.mutate()}>
          <RotateCcw className="size-4" aria-hidden="true" />
          {t.runs.retryPicked(failed.length)}
        </Button>
      )}
      {open.length > 0 && (
        <Button kind="danger" onClick={() => setSure(true)}>
          <Square className="size-4" aria-hidden="true" />
          {t.runs.cancelPicked(open.length)}
        </Button>
      )}
      {failed.length + open.length === 0 && <span className="text-sm text-muted">{t.runs.nothingToDo}</span>}
      {runs.length < listed && (
        <Button kind="quiet" onClick={all}>
          {t.runs.pickAll(listed)}
        </Button>
      )}
      <Button kind="quiet" onClick={none}>
        {t.runs.pickNone}
      </Button>
      {sure && <Confirm title={t.runs.cancelPicked(open.length)} text={t.runs.cancelPickedSure(open.length)} button={t.runs.cancelPicked(open.length)} close={() => setSure(false)} act={cancel} />}
    </section>
  );
}
