import type { Schemas } from '@/api/client';
import { t } from '@/i18n/en';
import { Chart } from '@/ui/charts';
import { count, duration, sliceTime } from '@/ui/format';
import { statusWord } from '@/ui/status';

export function Charts({ stats }: { stats: Schemas['RunStatistics'] }) {
  const { slices, ended, times } = stats;
  const labels = slices.map((slice) => sliceTime(slice.at, stats.slice_seconds));
  const said = (['completed', 'faulted', 'cancelled'] as const).map((status) => t.home.total(statusWord(status).toLowerCase(), count(ended[status]))).join(', ');
  const durations = ([['p50', t.home.typical], ['p95', t.home.slow], ['p99', t.home.slowest]] as const)
    .map(([name, words]) => `${words} ${times[`${name}_ms`] === null ? '—' : duration(times[`${name}_ms`] ?? 0)}`)
    .join(', ');
  return (
    <div className="grid gap-4 lg:grid-cols-2 lg:gap-6">
      <Chart
        kind="bars"
        title={t.home.throughput}
        hint={t.home.throughputHelp(duration(stats.slice_seconds * 1000))}
        summary={said}
        times={labels}
        format={count}
        series={[
          { name: statusWord('completed'), tone: 'ok', values: slices.map((slice) => slice.completed) },
          { name: statusWord('cancelled'), tone: 'idle', values: slices.map((slice) => slice.cancelled) },
          { name: statusWord('faulted'), tone: 'fail', values: slices.map((slice) => slice.faulted) },
        ]}
      />
      <Chart
        kind="lines"
        title={t.home.latency}
        hint={t.home.latencyHelp}
        summary={durations}
        times={labels}
        format={duration}
        series={[
          { name: 'p50', tone: 'run', values: slices.map((slice) => slice.times.p50_ms) },
          { name: 'p95', tone: 'retry', dash: '6 4', values: slices.map((slice) => slice.times.p95_ms) },
          { name: 'p99', tone: 'wait', dash: '2 3', values: slices.map((slice) => slice.times.p99_ms) },
        ]}
      />
    </div>
  );
}
