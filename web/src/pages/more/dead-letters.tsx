import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { api, ask, type Schemas } from '@/api/client';
import { scope, useMay } from '@/app/session';
import { t } from '@/i18n/en';
import { Button } from '@/ui/button';
import { Confirm } from '@/ui/confirm';
import { Page } from '@/ui/page';
import { Empty, Loading, ProblemView } from '@/ui/states';
import { Table } from '@/ui/table';
import { Time } from '@/ui/time';
import { toast } from '@/ui/toast';

const titleOf = (error: unknown) => (error as { title?: string } | null)?.title ?? '';

export function DeadLettersPage() {
  const queries = useQueryClient();
  const writes = useMay('member');
  const [dropping, setDropping] = useState<Schemas['DeadLetter'] | null>(null);
  const key = [scope(), 'dead-letters'];
  const list = useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam }) => ask(api.GET('/api/dead-letters', { params: { query: { limit: 50, ...(pageParam ? { cursor: pageParam } : {}) } } })),
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor,
  });
  const changed = () => queries.invalidateQueries({ queryKey: key });
  const replay = useMutation({
    mutationFn: (id: string) => ask(api.POST('/api/dead-letters/{dead_letter_id}/replay', { params: { path: { dead_letter_id: id } }, body: {} })),
    onSuccess: () => {
      toast.done(t.deadLetters.replayed);
      void changed();
    },
    onError: toast.failed,
  });
  const items = list.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <Page title={t.deadLetters.title}>
      {list.isPending && <Loading />}
      {list.error && <ProblemView error={list.error} retry={() => void list.refetch()} />}
      {list.data && items.length === 0 && <Empty title={t.deadLetters.empty}>{t.deadLetters.emptyHelp}</Empty>}
      {items.length > 0 && (
        <Table
          caption={t.deadLetters.title}
          rows={items}
          id={(letter) => letter.id}
          columns={[
            {
              head: t.schedules.workflow,
              cell: (letter) => (
                <span className="flex flex-col">
                  <Link to="/workflows/$workflowId" params={{ workflowId: letter.workflow_id }} className="font-medium hover:underline">
                    {letter.workflow_name}
                  </Link>
                  <span className="text-sm text-fail">{titleOf(letter.error)}</span>
                </span>
              ),
            },
            { head: t.deadLetters.since, cell: (letter) => <Time at={letter.created_at} className="text-sm text-muted" /> },
            {
              head: t.deadLetters.run,
              cell: (letter) => {
                const run = letter.replay_run_id ?? letter.run_id;
                return run ? (
                  <Link to="/runs/$runId" params={{ runId: run }} className="link text-sm">
                    {letter.replay_run_id ? t.deadLetters.again : t.deadLetters.failed}
                  </Link>
                ) : (
                  <span className="text-sm text-muted">{t.deadLetters.notStarted}</span>
                );
              },
            },
            {
              head: t.common.actions,
              className: 'md:text-right',
              cell: (letter) =>
                writes && (
                  <span className="inline-flex gap-2">
                    {!letter.replayed_at && <Button onClick={() => replay.mutate(letter.id)}>{t.deadLetters.replay}</Button>}
                    <Button onClick={() => setDropping(letter)}>{t.deadLetters.drop}</Button>
                  </span>
                ),
            },
          ]}
        />
      )}
      {list.hasNextPage && (
        <Button className="self-center" onClick={() => void list.fetchNextPage()}>
          {t.common.more}
        </Button>
      )}
      {dropping && (
        <Confirm
          title={t.deadLetters.drop}
          text={t.deadLetters.dropSure}
          button={t.deadLetters.drop}
          close={() => setDropping(null)}
          act={async () => {
            await ask(api.DELETE('/api/dead-letters/{dead_letter_id}', { params: { path: { dead_letter_id: dropping.id } } }));
            await changed();
          }}
        />
      )}
    </Page>
  );
}
