import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Check, X } from 'lucide-react';
import { type ReactNode, useRef, useState } from 'react';
import { type Approval, approvalsKey, decide } from '@/api/approvals';
import { ApiError } from '@/api/client';
import { useNames } from '@/api/members';
import { usePageKeys } from '@/app/keys';
import { remedyQuery } from '@/api/remedies';
import { t } from '@/i18n/en';
import { RemedyView } from '@/pages/healing/remedy';
import { Button } from '@/ui/button';
import { TextArea } from '@/ui/field';
import { JsonView } from '@/ui/json-view';
import { findingsAt, isSchema, type Schema } from '@/ui/schema';
import { useSchemaForm } from '@/ui/schema-form';
import { SchemaInput } from '@/ui/schema-input';
import { FormProblem, Loading, ProblemView } from '@/ui/states';
import { Status } from '@/ui/status';
import { Time } from '@/ui/time';
import { toast } from '@/ui/toast';

const SHAPES: Record<Approval['status'], string> = { open: 'waiting', approved: 'completed', rejected: 'faulted', expired: 'cancelled', withdrawn: 'skipped' };

export function ApprovalState({ status }: { status: Approval['status'] }) {
  return <Status status={SHAPES[status]} word={t.approvals.statuses[status]} />;
}

/** What is asked, by whom and until when; and the decision, for those who may make it. */
export function ApprovalDetail({ approval }: { approval: Approval }) {
  const { data, answer } = approval;
  const nameOf = useNames();
  const remedy = remedyIn(data);
  const who = [...approval.roles.map(t.approvals.roleAndAbove), ...approval.users].join(', ') || t.approvals.anybody;
  return (
    <article className="panel flex flex-col gap-4 p-4" aria-label={approval.title}>
      <div className="flex flex-col gap-1">
        <div className="flex flex-wrap items-start gap-x-4 gap-y-1">
          <h2 className="min-w-0 flex-1 text-lg font-semibold break-words">{approval.title}</h2>
          <ApprovalState status={approval.status} />
        </div>
        {approval.message && <p className="break-words whitespace-pre-line">{approval.message}</p>}
      </div>
      <dl className="grid grid-cols-[7rem_1fr] gap-x-4 gap-y-1 text-sm sm:grid-cols-[9rem_1fr]">
        <Fact name={t.approvals.run}>
          <Link to="/runs/$runId" params={{ runId: approval.run_id }} search={placeIn(approval.task)} className="link">
            {approval.workflow_name} v{approval.version}
          </Link>
        </Fact>
        <Fact name={t.approvals.asked}>
          <Time at={approval.created_at} />
          {approval.started_by && <span>, {t.approvals.startedBy(nameOf(approval.started_by) ?? t.audit.actors.user)}</span>}
        </Fact>
        {approval.deadline && (
          <Fact name={t.approvals.deadline}>
            <Time at={approval.deadline} />, {t.approvals.then[approval.on_deadline]}
          </Fact>
        )}
        <Fact name={t.approvals.who}>
          {who}
          {approval.exclude_starter && `, ${t.approvals.notStarter}`}
        </Fact>
        {approval.decided_at && (
          <Fact name={t.approvals.decided}>
            <Time at={approval.decided_at} />
            {approval.decided_by && <span> {t.approvals.by(nameOf(approval.decided_by) ?? t.audit.actors.user)}</span>}
            {approval.comment && <span className="block break-words whitespace-pre-line">{approval.comment}</span>}
          </Fact>
        )}
      </dl>
      {remedy !== null && <Proposed id={remedy} approval={approval.id} />}
      {data !== null && data !== undefined && (
        <section className="flex flex-col gap-1.5">
          <h3 className="font-medium">{t.approvals.data}</h3>
          <JsonView value={data} label={t.approvals.data} />
        </section>
      )}
      {answer !== null && answer !== undefined && (
        <section className="flex flex-col gap-1.5">
          <h3 className="font-medium">{t.approvals.answer}</h3>
          <JsonView value={answer} label={t.approvals.answer} />
        </section>
      )}
      {approval.status === 'open' && (approval.can_decide ? <Decision approval={approval} /> : <p className="text-muted">{t.approvals.notYou}</p>)}
    </article>
  );
}

/** Where the run shows who asks: an agent's questions name a place that is no task; its turns have them. */
export function placeIn(task: string): { task?: string; view?: string } {
  return task.endsWith('/agent/approve') ? { view: 'agent' } : { task };
}

/** What the question is about, where it is whether a failed run is mended in a certain way. */
function remedyIn(data: unknown): string | null {
  const id = data !== null && typeof data === 'object' ? (data as { remedy_id?: unknown }).remedy_id : null;
  return typeof id === 'string' ? id : null;
}

/** Any workflow may name a remedy in its question: shown is the one that really asks it. */
function Proposed({ id, approval }: { id: string; approval: string }) {
  const remedy = useQuery(remedyQuery(id));
  if (remedy.data && remedy.data.approval_id !== approval) return null;
  return (
    <section aria-label={t.healing.remedies} className="rounded-md border border-line bg-subtle p-4">
      {remedy.isPending && <Loading rows={3} />}
      {remedy.error && <ProblemView error={remedy.error} retry={() => void remedy.refetch()} />}
      {remedy.data && <RemedyView remedy={remedy.data} />}
    </section>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt className="text-muted">{name}</dt>
      <dd className="min-w-0 break-words">{children}</dd>
    </>
  );
}

function Decision({ approval }: { approval: Approval }) {
  const schema: Schema | null = isSchema(approval.form) ? approval.form : null;
  const form = useSchemaForm(schema ?? {}, {});
  const [comment, setComment] = useState('');
  const element = useRef<HTMLFormElement>(null);
  // A letter goes there and decides nothing: what is decided cannot be taken back.
  const goTo = (what: string) => element.current?.querySelector<HTMLElement>(`button[data-decides=${what}]`)?.focus();
  usePageKeys({ a: () => goTo('approve'), 'Shift-R': () => goTo('reject') });
  const queries = useQueryClient();
  const stale = () => queries.invalidateQueries({ queryKey: approvalsKey() });
  const send = useMutation({
    mutationFn: (approved: boolean) => decide(approval, approved, comment, approved && schema ? form.value : undefined),
    onSuccess: async (done) => {
      toast.done(t.approvals.done[done.status]);
      await stale();
    },
    onError: (error) => {
      if (!(error instanceof ApiError)) return;
      form.refuse(findingsAt('/data', error.problem.errors ?? []).inside);
      // What is shown is old: the next look at it is a new one.
      if (error.status === 409) void stale();
    },
  });
  const code = send.error instanceof ApiError ? send.error.code : '';
  const said = code === 'approval.changed' ? new Error(t.approvals.changed) : code === 'approval.closed' ? new Error(t.approvals.closed) : send.error;
  return (
    <form
      ref={element}
      noValidate
      className="flex flex-col gap-3 border-t border-line pt-4"
      onSubmit={(event) => {
        event.preventDefault();
        if (form.ready(element.current)) send.mutate(true);
      }}
    >
      {schema && (
        <section className="flex flex-col gap-1.5">
          <h3 className="font-medium">{t.approvals.form}</h3>
          <SchemaInput schema={schema} value={form.value} onChange={form.change} problems={form.problems} label={t.approvals.form} />
        </section>
      )}
      <TextArea label={t.approvals.comment} value={comment} maxLength={2000} onChange={(event) => setComment(event.target.value)} />
      {Object.keys(form.problems).length === 0 && <FormProblem error={said} />}
      <div className="flex flex-wrap gap-2">
        <Button kind="primary" type="submit" data-decides="approve" busy={send.isPending && send.variables} disabled={send.isPending}>
          <Check className="size-4" aria-hidden="true" />
          {t.approvals.approve}
        </Button>
        <Button kind="danger" data-decides="reject" busy={send.isPending && !send.variables} disabled={send.isPending} onClick={() => send.mutate(false)}>
          <X className="size-4" aria-hidden="true" />
          {t.approvals.reject}
        </Button>
      </div>
    </form>
  );
}
