// Starts by the day on which they fall, in whole weeks from Monday on. Days are those of the zone in which times are shown: midnight of each, as
// `wallTime` gives it.
export type Start = { at: Date; workflow: string; name: string };
export type Day = { date: Date; starts: Start[]; outside: boolean };

/** As if all days had 24 hours: on the wall they do. */
const DAY = 86_400_000;
const midnight = (wall: Date) => Math.floor(wall.getTime() / DAY) * DAY;

export function daysFrom(now: Date, until: Date, starts: readonly Start[], wall: (time: Date) => Date): Day[] {
  const today = midnight(wall(now));
  const last = midnight(wall(until));
  const first = today - ((new Date(today).getUTCDay() + 6) % 7) * DAY;
  const days: Day[] = [];
  for (let at = first; at <= last || days.length % 7 !== 0; at += DAY) days.push({ date: new Date(at), starts: [], outside: at < today || at > last });
  const byDay = new Map(days.map((day) => [day.date.getTime(), day]));
  for (const start of [...starts].sort((a, b) => a.at.getTime() - b.at.getTime())) byDay.get(midnight(wall(start.at)))?.starts.push(start);
  return days;
}
