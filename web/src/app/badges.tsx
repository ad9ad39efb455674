// What is new for the person, beside the pages where it is found.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { approvalsKey, waitingQuery } from '@/api/approvals';
import { notificationsKey, unreadQuery } from '@/api/notifications';
import { t } from '@/i18n/en';
import { useFollow } from '@/live/use-follow';
import { cx } from '@/ui/cx';
import { count } from '@/ui/format';

/** How many approvals wait for the person; kept up to date by what the server tells. */
export function Waiting({ className }: { className?: string }) {
  const queries = useQueryClient();
  const waiting = useQuery(waitingQuery());
  const stale = () => void queries.invalidateQueries({ queryKey: approvalsKey() });
  useFollow('approvals', approvalsKey(), stale, stale);
  const number = waiting.data?.items.length ?? 0;
  if (number === 0) return null;
  const shown = waiting.data?.next_cursor ? `${number}+` : String(number);
  return <Bubble shown={shown} said={t.approvals.waiting(shown)} className={className} />;
}

/** How much is new to the person. */
export function Unread() {
  const queries = useQueryClient();
  const unread = useQuery(unreadQuery());
  const stale = () => void queries.invalidateQueries({ queryKey: notificationsKey() });
  useFollow('notifications', notificationsKey(), stale, stale);
  const number = unread.data?.unread ?? 0;
  return number > 0 && <Bubble shown={count(number)} said={t.notifications.unread(number)} />;
}

function Bubble({ shown, said, className = 'ml-auto' }: { shown: string; said: string; className?: string | undefined }) {
  return (
    <span className={cx('rounded-full bg-accent px-1.5 text-xs font-medium text-on-accent', className)}>
      <span aria-hidden="true">{shown}</span>
      <span className="sr-only">{said}</span>
    </span>
  );
}
