import '@xyflow/react/dist/style.css';
import './graph.css';
import { Controls, type Edge, type Node, type NodeProps, ReactFlow, type ReactFlowInstance, useStore, ViewportPortal } from '@xyflow/react';
import { memo, useCallback, useEffect, useMemo, useRef } from 'react';
import { t } from '@/i18n/en';
import { cx } from '@/ui/cx';
import { duration } from '@/ui/format';
import { StatusShape } from '@/ui/status';
import { detailAt } from './detail';
import { Edges } from './edges';
import { type Graph as GraphData, layout, type Placed } from './layout';
import type { GraphStore, Mark, TaskState } from './store';

type Data = { task: Placed; store: GraphStore };
type TaskNode = Node<Data, 'task'>;

/** What differs from another version: a word, a colour and a kind of line. */
const MARKS: Record<Mark, { frame: string; text: string }> = {
  added: { frame: 'border-2 border-fill-ok', text: 'text-ok' },
  removed: { frame: 'border-2 border-dashed border-fill-fail', text: 'text-fail' },
  changed: { frame: 'border-2 border-fill-run', text: 'text-run' },
  moved: { frame: 'border-2 border-dotted border-fill-wait', text: 'text-wait' },
};

const Task = memo(function Task({ data, selected }: NodeProps<TaskNode>) {
  const { task, store } = data;
  const state = store((all) => all.tasks[task.id]);
  const findings = store((all) => all.findings[task.id] ?? 0);
  const mark = store((all) => all.marks[task.id]);
  const frame = cx(
    'size-full rounded-md border text-left',
    selected ? 'border-accent outline-2 outline-accent' : mark ? MARKS[mark].frame : findings > 0 ? 'border-fail' : 'border-strong',
    task.box ? 'bg-subtle' : 'bg-raised',
  );
  return (
    <div className={frame}>
      <div className={cx('flex items-center gap-2 px-2.5', task.box ? 'h-9' : 'h-full')}>
        {state && <StatusShape status={state.attempt > 1 && state.status === 'running' ? 'retrying' : state.status} />}
        <div className="min-w-0 flex-1">
          <p className="truncate text-sm font-medium">{task.name}</p>
          {!task.box && <p className="near truncate text-xs text-muted">{subtitle(task, state)}</p>}
        </div>
        {task.box && <span className="near truncate text-xs text-muted">{subtitle(task, state)}</span>}
        {mark && <span className={cx('far shrink-0 text-xs font-medium', MARKS[mark].text)}>{t.versions.changes[mark]}</span>}
        {findings > 0 && <span className="rounded-sm border border-fail px-1 text-xs text-fail">{findings}</span>}
      </div>
      {task.ends.length > 0 && (
        <span className="near absolute top-full left-1/2 mt-0.5 -translate-x-1/2 text-xs whitespace-nowrap text-muted">
          {task.ends.map((label) => (label ? t.graph.endsIf(label) : t.graph.ends)).join(', ')}
        </span>
      )}
    </div>
  );
});

function subtitle(task: Placed, state: TaskState | undefined): string {
  const parts: string[] = [task.type];
  if (state) {
    if (state.times > 1) parts.push(t.graph.times(state.times, state.faulted));
    if (state.attempt > 1) parts.push(t.graph.attempt(state.attempt));
    // None where the clocks of server and browser differ by more than it took.
    const took = state.ms === null ? '' : duration(state.ms);
    if (took) parts.push(took);
  }
  return parts.join(' · ');
}

const TYPES = { task: Task };

/** One looks at the zoom for all of them, and at the room that there is. */
function Detail({ show, fit }: { show: (detail: string) => void; fit: () => void }) {
  const room = useStore((flow) => `${flow.width}x${flow.height}`);
  useEffect(fit, [fit, room]);
  const detail = useStore((flow) => detailAt(flow.transform[2]));
  useEffect(() => show(detail), [show, detail]);
  return null;
}

/** So far around the tasks there are dots. */
const GROUND = 4000;

/** The ground moves with the drawing as one picture; the library's own is painted anew, all over, at each step. */
const Dots = memo(function Dots({ width, height }: { width: number; height: number }) {
  return (
    <ViewportPortal>
      <div className="dots" style={{ left: -GROUND, top: -GROUND, width: width + 2 * GROUND, height: height + 2 * GROUND }} />
    </ViewportPortal>
  );
});

/** Smaller than this nobody reads what a task is called. */
const READABLE = 0.65;
const NARROW = 640;

type Props = {
  graph: GraphData;
  store: GraphStore;
  selected: string | null;
  onSelect: (id: string | null) => void;
  label: string;
  dimmed?: boolean;
  /** The task to begin with where there is no room to read all of it; else the first. */
  first?: string | undefined;
};

export function Graph({ graph, store, selected, onSelect, label, dimmed = false, first }: Props) {
  const flow = useRef<ReactFlowInstance<TaskNode, Edge>>(null);
  const place = useRef<HTMLElement>(null);
  const showDetail = useCallback((detail: string) => place.current?.setAttribute('data-detail', detail), []);
  const placed = useMemo(() => layout(graph), [graph]);
  // What a task shows stays the same object until the picture is another: the choice of one leaves the others alone.
  const unchosen = useMemo<TaskNode[]>(
    () =>
      placed.nodes.map((task) => ({
        id: task.id,
        type: 'task',
        position: { x: task.x, y: task.y },
        width: task.width,
        height: task.height,
        data: { task, store },
        selected: false,
        ariaLabel: `${t.graph.task} ${task.name}, ${task.type}`,
        ...(task.parent ? { parentId: task.parent } : {}),
      })),
    [placed, store],
  );
  const nodes = useMemo(() => unchosen.map((node) => (node.id === selected ? Object.assign({}, node, { selected: true }) : node)), [unchosen, selected]);
  const shape = placed.nodes.map((node) => node.id).join(' ');
  // What is typed beside it draws it anew without moving it: only another shape, or other room, does.
  const drawn = useRef({ placed, first });
  useEffect(() => {
    drawn.current = { placed, first };
  });
  /** All of it; on a phone, where that cannot be read, the beginning of it, to be pushed from there. */
  const fit = useCallback(() => {
    const instance = flow.current;
    const room = place.current?.clientWidth ?? 0;
    if (!instance || room === 0) return;
    const { width, height } = drawn.current.placed;
    const scale = Math.min(room / width, (place.current?.clientHeight ?? 0) / height) * 0.88;
    if (room >= NARROW || scale >= READABLE) {
      void instance.fitView({ maxZoom: 1, padding: 0.12 });
      return;
    }
    const goal = drawn.current.first === undefined ? undefined : instance.getInternalNode(drawn.current.first);
    const { x, y } = goal?.internals.positionAbsolute ?? { x: 0, y: 0 };
    const wide = width * READABLE;
    void instance.setViewport({ zoom: READABLE, x: wide < room ? (room - wide) / 2 : 12 - x * READABLE, y: (goal ? 48 : 12) - y * READABLE });
  }, []);
  useEffect(fit, [fit, shape]);
  return (
    <section ref={place} aria-label={label} className={cx('relative size-full', dimmed && 'opacity-60')}>
      <ReactFlow
        nodes={nodes}
        nodeTypes={TYPES}
        onInit={(instance) => {
          flow.current = instance;
        }}
        onNodeClick={(_event, node) => onSelect(node.id)}
        // From the keyboard. What is selected comes back with the nodes: listening for that would answer one selection with the one before.
        onNodesChange={(changes) => {
          const chosen = changes.find((change) => change.type === 'select' && change.selected);
          if (chosen && 'id' in chosen && chosen.id !== selected) onSelect(chosen.id);
        }}
        // While it is moved the drawing is one picture that is shifted, and is painted anew when it rests.
        onMoveStart={() => place.current?.classList.add('moving')}
        onMoveEnd={() => place.current?.classList.remove('moving')}
        onPaneClick={() => onSelect(null)}
        nodesDraggable={false}
        nodesConnectable={false}
        elevateNodesOnSelect={false}
        onlyRenderVisibleElements={placed.nodes.length > 150}
        fitView
        fitViewOptions={{ maxZoom: 1, padding: 0.12 }}
        minZoom={0.1}
        maxZoom={1.6}
        colorMode="light"
      >
        <Detail show={showDetail} fit={fit} />
        <Edges placed={placed} />
        <Dots width={placed.width} height={placed.height} />
        <Controls showInteractive={false} position="bottom-left" />
      </ReactFlow>
    </section>
  );
}

