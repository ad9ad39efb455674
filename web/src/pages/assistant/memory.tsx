import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { api, ask, type Schemas } from '@/api/client';
import { scope, useMay } from '@/app/session';
import { t } from '@/i18n/en';
import { Bubble } from '@/pages/runs/bubble';
import { spoken } from '@/pages/runs/trace';
import { Button } from '@/ui/button';
import { Confirm } from '@/ui/confirm';
import { Dialog } from '@/ui/dialog';
import { count } from '@/ui/format';
import { Page } from '@/ui/page';
import { Empty, Loading, ProblemView } from '@/ui/states';
import { Badge } from '@/ui/status';
import { Table } from '@/ui/table';
import { Time } from '@/ui/time';

type Memory = Schemas['AgentMemory'];
const key = () => [scope(), 'memories'];

/** What agents keep between runs: to be read, and to be forgotten. */
export function MemoryPage() {
  const queries = useQueryClient();
  const writes = useMay('member');
  const [shown, setShown] = useState<Memory | null>(null);
  const [forgetting, setForgetting] = useState<Memory | null>(null);
  const list = useInfiniteQuery({
    queryKey: key(),
    queryFn: ({ pageParam }) => ask(api.GET('/api/llm/memories', { params: { query: { limit: 50, ...(pageParam ? { cursor: pageParam } : {}) } } })),
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor,
  });
  const items = list.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <Page title={t.memories.title}>
      <p className="-mt-2 text-muted">{t.memories.hint}</p>
      {list.isPending && <Loading />}
      {list.error && <ProblemView error={list.error} retry={() => void list.refetch()} />}
      {list.data && items.length === 0 && <Empty title={t.memories.empty}>{t.memories.emptyHelp}</Empty>}
      {items.length > 0 && (
        <Table
          caption={t.memories.title}
          rows={items}
          id={(memory) => memory.id}
          columns={[
            {
              head: t.memories.key,
              cell: (memory) => (
                <span className="flex flex-col items-start gap-0.5">
                  <span className="font-mono text-sm font-medium break-all">{memory.key}</span>
                  {memory.untrusted.length > 0 && (
                    <Badge tone="wait" title={t.memories.sources(memory.untrusted.join(', '))}>
                      {t.memories.untrusted}
                    </Badge>
                  )}
                </span>
              ),
            },
            { head: t.memories.scope, cell: (memory) => <span className="text-sm text-muted">{memory.scope || t.memories.everybody}</span> },
            { head: t.memories.messages, cell: (memory) => count(memory.message_count), className: 'max-md:hidden' },
            {
              head: t.memories.written,
              cell: (memory) => (
                <span className="flex flex-wrap items-baseline gap-x-1.5 text-sm text-muted">
                  <Time at={memory.updated_at} />
                  <Link to="/runs/$runId" params={{ runId: memory.run_id }} search={{ view: 'agent' }} className="link">
                    {t.memories.by}
                  </Link>
                </span>
              ),
            },
            { head: t.memories.expires, cell: (memory) => (memory.expires_at ? <Time at={memory.expires_at} className="text-sm text-muted" /> : <span className="text-sm text-muted">{t.common.never}</span>), className: 'max-md:hidden' },
            {
              head: t.common.actions,
              className: 'md:text-right',
              cell: (memory) => (
                <span className="inline-flex gap-2">
                  <Button aria-label={t.memories.showOf(memory.key)} onClick={() => setShown(memory)}>
                    {t.memories.show}
                  </Button>
                  {writes && (
                    <Button aria-label={t.memories.forgetOf(memory.key)} onClick={() => setForgetting(memory)}>
                      {t.memories.forget}
                    </Button>
                  )}
                </span>
              ),
            },
          ]}
        />
      )}
      {list.hasNextPage && (
        <Button className="self-center" busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
          {t.common.more}
        </Button>
      )}
      {shown && <Content memory={shown} close={() => setShown(null)} />}
      {forgetting && (
        <Confirm
          title={t.memories.forgetOf(forgetting.key)}
          text={t.memories.forgetSure}
          button={t.memories.forget}
          close={() => setForgetting(null)}
          act={async () => {
            await ask(api.DELETE('/api/llm/memories/{memory_id}', { params: { path: { memory_id: forgetting.id } } }));
            await queries.invalidateQueries({ queryKey: key() });
          }}
        />
      )}
    </Page>
  );
}

function Content({ memory, close }: { memory: Memory; close: () => void }) {
  const whole = useQuery({ queryKey: [...key(), memory.id, memory.updated_at], queryFn: () => ask(api.GET('/api/llm/memories/{memory_id}', { params: { path: { memory_id: memory.id } } })) });
  return (
    <Dialog open onClose={close} wide title={t.memories.of(memory.key)} footer={<Button onClick={close}>{t.common.close}</Button>}>
      <div className="flex flex-col gap-2 pb-3">
        {memory.untrusted.length > 0 && <p className="text-sm text-wait">{t.memories.sources(memory.untrusted.join(', '))}</p>}
        {whole.isPending && <Loading rows={4} />}
        {whole.error && <ProblemView error={whole.error} retry={() => void whole.refetch()} />}
        {spoken(whole.data?.messages).map((message, at) => (
          <Bubble key={at} who={t.memories.role[message.role as keyof typeof t.memories.role] ?? message.role} text={[message.text, ...message.calls.map(t.memories.calls)].filter(Boolean).join('\n')} mine={message.role === 'assistant'} />
        ))}
      </div>
    </Dialog>
  );
}
