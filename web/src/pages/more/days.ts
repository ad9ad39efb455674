// Starts by the day on which they fall, in whole weeks from Monday on.
export type Start = { at: Date; workflow: string; name: string };
export type Day = { date: Date; starts: Start[]; outside: boolean };

const midnight = (date: Date) => new Date(date.getFullYear(), date.getMonth(), date.getDate());
/** By the calendar, not by 24 hours: days in which clocks change are longer or shorter. */
const plus = (date: Date, days: number) => new Date(date.getFullYear(), date.getMonth(), date.getDate() + days);

export function daysFrom(now: Date, until: Date, starts: readonly Start[]): Day[] {
  const today = midnight(now);
  const last = midnight(until);
  const first = plus(today, -((today.getDay() + 6) % 7));
  const days: Day[] = [];
  for (let date = first; date <= last || days.length % 7 !== 0; date = plus(date, 1)) days.push({ date, starts: [], outside: date < today || date > last });
  const byDay = new Map(days.map((day) => [day.date.getTime(), day]));
  for (const start of [...starts].sort((a, b) => a.at.getTime() - b.at.getTime())) byDay.get(midnight(start.at).getTime())?.starts.push(start);
  return days;
}
