import { useMutation, useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { GitFork, Pause, Play, RotateCcw, Square } from 'lucide-react';
import { useState } from 'react';
import { api, ask, type Schemas } from '@/api/client';
import { runQuery } from '@/api/runs';
import { usePageKeys } from '@/app/keys';
import { scope, useMay } from '@/app/session';
import { t } from '@/i18n/en';
import { Button } from '@/ui/button';
import { Dialog } from '@/ui/dialog';
import { TextArea } from '@/ui/field';
import { jsonProblem } from '@/ui/json-problem';
import { FormProblem } from '@/ui/states';
import { toast } from '@/ui/toast';
import { keyOf, type TaskRun } from './tasks';
import { wholeValue } from './values';

const OPEN = ['pending', 'running', 'waiting'];

/** What can be done with the run in the state that it is in. Retry and fork begin at the task that is chosen. */
export function RunActions({ run, from, refresh }: { run: Schemas['Run']; from: TaskRun | null; refresh: () => void }) {
  const may = useMay('member');
  const [asked, setAsked] = useState<'cancel' | 'fork' | null>(null);
  const path = { params: { path: { run_id: run.id } } };
  const act = useMutation({
    mutationFn: (action: 'suspend' | 'resume' | 'retry') =>
      action === 'retry'
        ? ask(api.POST('/api/runs/{run_id}/retry', { ...path, body: from ? { from: from.reference } : {} }))
        : ask(api.POST(`/api/runs/{run_id}/${action}`, { ...path, body: {} })),
    onSuccess: refresh,
    onError: (error) => toast.failed(error),
  });
  usePageKeys({ 'Shift-R': may && run.status === 'faulted' && !act.isPending && (() => act.mutate('retry')) });
  if (!may) return null;
  return (
    <>
      {OPEN.includes(run.status) && (
        <Button busy={act.isPending} onClick={() => act.mutate('suspend')}>
          <Pause className="size-4" aria-hidden="true" />
          {t.runs.suspend}
        </Button>
      )}
      {run.status === 'suspended' && (
        <Button kind="primary" busy={act.isPending} onClick={() => act.mutate('resume')}>
          <Play className="size-4" aria-hidden="true" />
          {t.runs.resume}
        </Button>
      )}
      {run.status === 'faulted' && (
        <Button kind="primary" busy={act.isPending} onClick={() => act.mutate('retry')}>
          <RotateCcw className="size-4" aria-hidden="true" />
          {from ? t.runs.retryFrom(from.name) : t.runs.retry}
        </Button>
      )}
      <Button onClick={() => setAsked('fork')}>
        <GitFork className="size-4" aria-hidden="true" />
        {from ? t.runs.forkFrom(from.name) : t.runs.fork}
      </Button>
      {(run.status === 'suspended' || (OPEN.includes(run.status) && !run.ending)) && (
        <Button kind="danger" onClick={() => setAsked('cancel')}>
          <Square className="size-4" aria-hidden="true" />
          {run.ending ? t.runs.breakOff : t.common.cancel}
        </Button>
      )}
      {asked === 'cancel' && <CancelDialog run={run} close={() => setAsked(null)} refresh={refresh} />}
      {asked === 'fork' && <ForkDialog run={run} from={from} close={() => setAsked(null)} />}
    </>
  );
}

/** A run that winds up is ending already: no cancel changes that, but one that is suspended can be ended as it is. */
function CancelDialog({ run, close, refresh }: { run: Schemas['Run']; close: () => void; refresh: () => void }) {
  const [reason, setReason] = useState('');
  const title = run.ending ? t.runs.breakOffTitle : t.runs.cancelTitle;
  const cancel = useMutation({
    mutationFn: () => ask(api.POST('/api/runs/{run_id}/cancel', { params: { path: { run_id: run.id } }, body: reason ? { reason } : {} })),
    onSuccess: () => {
      refresh();
      close();
    },
  });
  return (
    <Dialog
      open
      onClose={close}
      title={title}
      description={run.ending ? t.runs.breakOffHelp : t.runs.cancelHelp}
      footer={
        <>
          <Button onClick={close}>{t.runs.keep}</Button>
          <Button kind="danger" busy={cancel.isPending} onClick={() => cancel.mutate()}>
            {title}
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-3 pb-2">
        <TextArea label={t.runs.reason} rows={2} maxLength={500} value={reason} onChange={(event) => setReason(event.target.value)} />
        <FormProblem error={cancel.error} />
      </div>
    </Dialog>
  );
}

function ForkDialog({ run, from, close }: { run: Schemas['Run']; from: TaskRun | null; close: () => void }) {
  const navigate = useNavigate();
  // What was told live of a task comes without its data: they are asked for, and until they are here nobody types.
  const { data: now = run, isFetchedAfterMount: arrived, isError } = useQuery({ ...runQuery(run.id), staleTime: 0 });
  const task = from && (now.tasks.find((one) => keyOf(one) === keyOf(from)) ?? from);
  const input = useQuery({
    queryKey: [scope(), 'runs', 'input', run.id, task ? keyOf(task) : '', task?.attempt],
    enabled: arrived,
    staleTime: 0,
    queryFn: async () => ({ value: await wholeValue(now, task, 'input') }),
  });
  const arriving = (!arrived && !isError) || input.isLoading;
  const [typed, setText] = useState<string | null>(null);
  const text = typed ?? JSON.stringify(input.data?.value, null, 2) ?? 'null';
  const problem = jsonProblem(text);
  const fork = useMutation({
    mutationFn: () =>
      ask(api.POST('/api/runs/{run_id}/fork', { params: { path: { run_id: run.id } }, body: { input: JSON.parse(text || 'null') as unknown, ...(from ? { from: from.reference } : {}) } })),
    onSuccess: (made) => {
      close();
      void navigate({ to: '/runs/$runId', params: { runId: made.id }, search: {} });
    },
  });
  return (
    <Dialog
      open
      onClose={close}
      title={from ? t.runs.forkFrom(from.name) : t.runs.fork}
      description={from ? t.runs.forkFromHelp : t.runs.forkHelp}
      footer={
        <>
          <Button onClick={close}>{t.common.cancel}</Button>
          <Button kind="primary" busy={fork.isPending} disabled={problem !== null || arriving || (typed === null && !input.isSuccess)} onClick={() => fork.mutate()}>
            {t.runs.startFork}
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-3 pb-2">
        <TextArea label={t.execute.input} className="min-h-40 font-mono text-sm" spellCheck={false} error={problem ?? undefined} value={text} readOnly={arriving} aria-busy={arriving} onChange={(event) => setText(event.target.value)} />
        <FormProblem error={fork.error ?? input.error} />
      </div>
    </Dialog>
  );
}
