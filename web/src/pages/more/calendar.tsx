import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { api, ask } from '@/api/client';
import { scope } from '@/app/session';
import { t } from '@/i18n/en';
import { cx } from '@/ui/cx';
import { count, timeFormat, wallTime } from '@/ui/format';
import { Loading, ProblemView } from '@/ui/states';
import { Time, useNow } from '@/ui/time';
import { type Day, daysFrom, type Start } from './days';

const SHOWN = 4;
/** Of a day that `daysFrom` gives. */
const dateOf = (day: Date) => timeFormat({ weekday: 'short', day: 'numeric', month: 'short' }, 'UTC').format(day);
const clockOf = (at: Date) => timeFormat({ hour: '2-digit', minute: '2-digit' }).format(at);

/** Five weeks, beginning with the present one. What fires too often for a day's box stands above. */
export function Calendar() {
  const upcoming = useQuery({
    queryKey: [scope(), 'schedules', 'upcoming'],
    queryFn: () => ask(api.GET('/api/schedules/upcoming', { params: { query: { days: 30 } } })),
    refetchInterval: 60_000,
  });
  const now = useNow(60_000);
  if (upcoming.isPending) return <Loading rows={6} height={80} />;
  if (upcoming.error) return <ProblemView error={upcoming.error} retry={() => void upcoming.refetch()} />;
  const often = upcoming.data.items.filter((item) => item.more);
  const starts: Start[] = upcoming.data.items
    .filter((item) => !item.more)
    .flatMap((item) => item.times.map((at) => ({ at: new Date(at), workflow: item.workflow_id, name: item.workflow_name })));
  const days = daysFrom(new Date(now), new Date(upcoming.data.until), starts, wallTime);
  const today = wallTime(new Date(now)).toISOString().slice(0, 10);
  return (
    <div className="flex flex-col gap-3">
      {often.length > 0 && (
        <ul aria-label={t.calendar.often} className="text-sm">
          {often.map((item) => (
            <li key={item.schedule_id}>
              {t.calendar.oftenLine(item.workflow_name, count(item.times.length))} <Time at={item.times[0]} />
            </li>
          ))}
        </ul>
      )}
      {starts.length === 0 ? (
        <p className="text-muted">{t.calendar.empty}</p>
      ) : (
        <>
          <div aria-hidden="true" className="grid grid-cols-7 gap-px text-xs text-muted max-md:hidden">
            {t.calendar.weekdays.map((name) => (
              <span key={name} className="px-2">
                {name}
              </span>
            ))}
          </div>
          <ol className="panel grid grid-cols-1 overflow-hidden md:grid-cols-7 md:gap-px md:bg-line">
            {days.map((day) => (
              <DayBox key={day.date.toISOString()} day={day} today={day.date.toISOString().startsWith(today)} />
            ))}
          </ol>
        </>
      )}
    </div>
  );
}

function DayBox({ day, today }: { day: Day; today: boolean }) {
  return (
    <li className={cx('min-w-0 bg-bg px-2 py-1.5 max-md:border-b max-md:border-line md:min-h-24', day.outside && 'bg-subtle max-md:hidden', day.starts.length === 0 && 'max-md:hidden')}>
      <p className={cx('text-xs', today ? 'font-semibold text-accent' : 'text-muted')}>
        <span className="sr-only">{t.calendar.day(dateOf(day.date), day.starts.length)}</span>
        <span aria-hidden="true">
          <span className="md:hidden">{dateOf(day.date)}</span>
          <span className="max-md:hidden">{day.date.getUTCDate() === 1 ? dateOf(day.date).split(' ').slice(1).join(' ') : day.date.getUTCDate()}</span>
          {today && ` ${t.calendar.today}`}
        </span>
      </p>
      <ul>
        {day.starts.slice(0, SHOWN).map((start, at) => (
          <li key={at} className="flex gap-1.5 text-xs leading-6">
            <span className="text-muted">{clockOf(start.at)}</span>
            <Link to="/workflows/$workflowId/triggers" params={{ workflowId: start.workflow }} className="min-w-0 truncate hover:underline" title={start.name}>
              {start.name}
            </Link>
          </li>
        ))}
      </ul>
      {day.starts.length > SHOWN && <p className="text-xs text-muted">{t.calendar.more(day.starts.length - SHOWN)}</p>}
    </li>
  );
}
