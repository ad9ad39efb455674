import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { approvalQuery, approvalsKey, approvalsQuery, STATUSES, type ApprovalStatus } from '@/api/approvals';
import { t } from '@/i18n/en';
import { useFollow } from '@/live/use-follow';
import { Button } from '@/ui/button';
import { cx } from '@/ui/cx';
import { Page } from '@/ui/page';
import { Empty, Loading, ProblemView } from '@/ui/states';
import { Time } from '@/ui/time';
import { ApprovalDetail, ApprovalState } from './detail';

export function ApprovalsPage() {
  const search = useSearch({ from: '/inside/approvals' });
  const { approvalId } = useParams({ strict: false });
  const navigate = useNavigate();
  const queries = useQueryClient();
  const status = STATUSES.find((one) => one === search.status) ?? 'open';
  const mine = search.mine === 'true';
  const list = useInfiniteQuery(approvalsQuery(status, mine));
  const stale = () => void queries.invalidateQueries({ queryKey: approvalsKey() });
  useFollow('approvals', approvalsKey(), stale, stale);
  const set = (change: { status?: ApprovalStatus; mine?: boolean }) => {
    const now = { status, mine, ...change };
    void navigate({ to: '/approvals', search: { ...(now.status === 'open' ? {} : { status: now.status }), ...(now.mine ? { mine: 'true' } : {}) }, replace: true });
  };
  const items = list.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <Page title={t.approvals.title} wide>
      <div role="search" className="flex flex-wrap items-center gap-x-4 gap-y-2">
        <select aria-label={t.approvals.show} className="input w-auto!" value={status} onChange={(event) => set({ status: event.target.value as ApprovalStatus })}>
          {STATUSES.map((one) => (
            <option key={one} value={one}>
              {t.approvals.statuses[one]}
            </option>
          ))}
        </select>
        <label className="flex items-center gap-2">
          <input type="checkbox" className="size-4 accent-(--accent)" checked={mine} onChange={(event) => set({ mine: event.target.checked })} />
          {t.approvals.mine}
        </label>
      </div>
      {list.isPending && !approvalId && <Loading />}
      {list.error && <ProblemView error={list.error} retry={() => void list.refetch()} />}
      {list.data && items.length === 0 && !approvalId && <Empty title={status === 'open' ? t.approvals.empty : t.approvals.noneOf}>{status === 'open' && t.approvals.emptyHelp}</Empty>}
      {(items.length > 0 || approvalId) && (
        <div className="grid items-start gap-4 lg:grid-cols-[minmax(18rem,26rem)_1fr]">
          <div className={cx('flex flex-col gap-3', approvalId && 'max-lg:hidden')}>
            {list.isPending && <Loading />}
            <ul aria-label={t.approvals.title} className="panel divide-y divide-line overflow-hidden empty:hidden">
              {items.map((item) => (
                <li key={item.id} data-row className={cx('relative px-3 py-2.5 hover:bg-subtle', item.id === approvalId && 'bg-hover')}>
                  <div className="flex items-start gap-3">
                    <Link
                      to="/approvals/$approvalId"
                      params={{ approvalId: item.id }}
                      search={search}
                      aria-current={item.id === approvalId ? 'page' : undefined}
                      className="min-w-0 flex-1 font-medium break-words after:absolute after:inset-0"
                    >
                      {item.title}
                    </Link>
                    {status !== 'open' && <ApprovalState status={item.status} />}
                  </div>
                  <p className="flex flex-wrap gap-x-3 text-sm text-muted">
                    <span>{item.workflow_name}</span>
                    <Time at={item.created_at} />
                    {item.status === 'open' && item.deadline && (
                      <span className="text-wait">
                        {t.approvals.deadline} <Time at={item.deadline} />
                      </span>
                    )}
                  </p>
                </li>
              ))}
            </ul>
            {list.hasNextPage && (
              <Button className="self-center" busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
                {t.common.more}
              </Button>
            )}
          </div>
          {approvalId ? <One key={approvalId} id={approvalId} /> : <p className="panel p-6 text-muted max-lg:hidden">{t.approvals.choose}</p>}
        </div>
      )}
    </Page>
  );
}

function One({ id }: { id: string }) {
  const approval = useQuery(approvalQuery(id));
  return (
    <div className="min-w-0">
      <Link to="/approvals" className="link mb-2 inline-block lg:hidden">
        {t.common.back}
      </Link>
      {approval.isPending && <Loading />}
      {approval.error && <ProblemView error={approval.error} retry={() => void approval.refetch()} />}
      {approval.data && <ApprovalDetail key={approval.data.digest} approval={approval.data} />}
    </div>
  );
}
