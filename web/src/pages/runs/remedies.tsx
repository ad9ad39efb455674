// What can be done about a run that failed: remedies that were proposed for it, and a proposal of another.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Wand } from 'lucide-react';
import { propose, runRemediesQuery } from '@/api/remedies';
import type { Schemas } from '@/api/client';
import { useMay } from '@/app/session';
import { t } from '@/i18n/en';
import { RemedyView } from '@/pages/healing/remedy';
import { Button, ButtonLink } from '@/ui/button';
import { ProblemView } from '@/ui/states';

const OPEN = ['proposed', 'applying'];
const text = (value: unknown) => (typeof value === 'string' ? value : '');

export default function Remedies({ run }: { run: Schemas['Run'] }) {
  const writes = useMay('member');
  const queries = useQueryClient();
  const query = runRemediesQuery(run.id);
  const list = useQuery(query);
  const ask = useMutation({ mutationFn: () => propose(run.id), onSettled: () => queries.invalidateQueries({ queryKey: query.queryKey }) });
  const items = list.data?.items ?? [];
  const may = writes && run.status === 'faulted' && !run.dry_run && !items.some((one) => OPEN.includes(one.status));
  const none = ask.data && !ask.data.remedy ? ask.data.diagnosis : null;
  return (
    <div className="flex flex-col gap-4 p-4 md:px-6">
      {may && (
        <div className="flex flex-wrap items-center gap-3">
          <Button kind="primary" busy={ask.isPending} onClick={() => ask.mutate()}>
            <Wand className="size-4" aria-hidden="true" />
            {t.healing.propose}
          </Button>
          <span className="text-sm text-muted">{t.healing.proposing}</span>
        </div>
      )}
      {ask.error && <ProblemView error={ask.error} />}
      {none && (
        <div role="status" className="panel flex flex-col gap-1 p-4">
          <p className="text-muted">{t.healing.given}</p>
          <p>{text(none.root_cause)}</p>
          <p>{text(none.explanation)}</p>
        </div>
      )}
      {list.error && <ProblemView error={list.error} retry={() => void list.refetch()} />}
      <ul aria-label={t.healing.remedies} className="flex flex-col gap-3 empty:hidden">
        {items.map((remedy) => (
          <li key={remedy.id} className="panel flex flex-col gap-3 p-4">
            <RemedyView remedy={remedy} />
            {remedy.status === 'proposed' &&
              (remedy.approval_id ? (
                <ButtonLink kind="primary" to="/approvals/$approvalId" params={{ approvalId: remedy.approval_id }} className="self-start">
                  {t.healing.decide}
                </ButtonLink>
              ) : (
                <p className="text-sm text-muted">{t.healing.asking}</p>
              ))}
          </li>
        ))}
      </ul>
    </div>
  );
}
