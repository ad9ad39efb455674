// Two versions by their tasks: what was added, removed, changed and moved, in a list and in both graphs.
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Suspense, useMemo, useState } from 'react';
import type { Schemas } from '@/api/client';
import { versionGraphQuery } from '@/api/workflows';
import type { Graph as GraphData, GraphNode } from '@/graph/layout';
import { graphStore, type Mark } from '@/graph/store';
import { t } from '@/i18n/en';
import { part } from '@/ui/part';
import { Loading, ProblemView } from '@/ui/states';
import { Badge } from '@/ui/status';

const Graph = part(async () => ({ default: (await import('@/graph/graph')).Graph }));

type Change = Schemas['TaskChange'];
const TONES = { added: 'ok', removed: 'fail', changed: 'run', moved: 'wait' } as const;
const ORDER: Mark[] = ['removed', 'added', 'changed', 'moved'];

export default function TaskChanges({ workflowId, from, to, tasks }: { workflowId: string; from: number; to: number; tasks: Change[] }) {
  const sorted = useMemo(() => tasks.toSorted((a, b) => ORDER.indexOf(a.change) - ORDER.indexOf(b.change)), [tasks]);
  return (
    <>
      {sorted.length === 0 ? (
        <p className="text-muted">{t.versions.noTasks}</p>
      ) : (
        <ul aria-label={t.versions.tasks} className="panel divide-y divide-line">
          {sorted.map((task, at) => (
            <li key={at} className="flex flex-wrap items-center gap-x-3 gap-y-1 px-3 py-2">
              <Badge tone={TONES[task.change]}>{t.versions.changes[task.change]}</Badge>
              <Link
                to="/workflows/$workflowId"
                params={{ workflowId }}
                search={{ at: task.reference, version: String(task.change === 'removed' ? from : to) }}
                className="min-w-0 font-mono text-sm break-all hover:underline"
              >
                {task.path}
              </Link>
              <span className="text-sm text-muted">{task.type}</span>
            </li>
          ))}
        </ul>
      )}
      <div className="grid gap-3 xl:grid-cols-2">
        <Drawing workflowId={workflowId} version={from} tasks={tasks} old />
        <Drawing workflowId={workflowId} version={to} tasks={tasks} />
      </div>
    </>
  );
}

/** Names from the outermost task, as changes name their places. */
function paths(nodes: readonly GraphNode[]): Map<string, string> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const of = (node: GraphNode): string => {
    const parent = node.parent ? byId.get(node.parent) : undefined;
    return `${parent ? of(parent) : ''}/${node.name}`;
  };
  return new Map(nodes.map((node) => [of(node), node.id]));
}

function Drawing({ workflowId, version, tasks, old = false }: { workflowId: string; version: number; tasks: Change[]; old?: boolean }) {
  const graph = useQuery(versionGraphQuery(workflowId, version));
  return (
    <figure className="flex min-w-0 flex-col gap-1">
      <figcaption className="text-sm font-medium">v{version}</figcaption>
      <div className="panel h-[55dvh] min-h-80 overflow-hidden">
        {graph.isPending && <div className="p-4"><Loading rows={4} /></div>}
        {graph.error && <div className="p-4"><ProblemView error={graph.error} retry={() => void graph.refetch()} /></div>}
        {graph.data === null && <p className="p-4 text-muted">{t.versions.undrawn}</p>}
        {graph.data && <Marked key={version} data={graph.data} label={t.versions.graphOf(version)} tasks={tasks} old={old} />}
      </div>
    </figure>
  );
}

function Marked({ data, label, tasks, old }: { data: GraphData; label: string; tasks: Change[]; old: boolean }) {
  const [selected, setSelected] = useState<string | null>(null);
  const { store, first } = useMemo(() => {
    const byPath = paths(data.nodes);
    const ids = new Set(data.nodes.map((node) => node.id));
    const marks: Record<string, Mark> = {};
    for (const { change, path, reference } of tasks) {
      if (change === (old ? 'added' : 'removed')) continue;
      const id = (old && change !== 'removed' ? undefined : ids.has(reference) ? reference : undefined) ?? byPath.get(path);
      if (id) marks[id] = change;
    }
    return { store: graphStore(marks), first: data.nodes.find((node) => marks[node.id])?.id };
  }, [data, tasks, old]);
  return (
    <Suspense fallback={<div className="p-4"><Loading rows={4} /></div>}>
      <Graph graph={data} store={store} selected={selected} onSelect={setSelected} label={label} first={first} />
    </Suspense>
  );
}
