// The lines of the drawing: one SVG for all of them. As edges of the library each would be an SVG of its own that looks at every movement, which
// is most of what a graph of hundreds of tasks costs while it is moved.
import { getSmoothStepPath, Position, ViewportPortal } from '@xyflow/react';
import { memo } from 'react';
import type { Layout } from './layout';

type Line = { key: string; path: string; label: string | undefined; x: number; y: number; beside: boolean };
type Place = { x: number; y: number };
type Box = { left: number; right: number; top: number; bottom: number };

const ROUND = 6;
/** How far beside what stands in its way a line passes. */
const BESIDE = 14;

/** Straight pieces with round corners. */
function bent(points: readonly Place[]): string {
  const [first] = points;
  let path = first ? `M${first.x} ${first.y}` : '';
  points.forEach((point, at) => {
    const [before, after] = [points[at - 1], points[at + 1]];
    if (!before) return;
    if (!after) {
      path += `L${point.x} ${point.y}`;
      return;
    }
    const toward = (other: Place) => {
      const length = Math.hypot(other.x - point.x, other.y - point.y);
      const part = length === 0 ? 0 : Math.min(ROUND, length / 2) / length;
      return `${point.x + (other.x - point.x) * part} ${point.y + (other.y - point.y) * part}`;
    };
    path += `L${toward(before)}Q${point.x} ${point.y} ${toward(after)}`;
  });
  return path;
}

/** From the middle below a task to the middle above the next; beside the tasks that stand between them, not through them. */
export function linesOf({ nodes, edges }: Layout): Line[] {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const boxes = new Map<string, Box>();
  const boxOf = (id: string): Box => {
    const known = boxes.get(id);
    if (known) return known;
    const node = byId.get(id);
    const around = node?.parent ? boxOf(node.parent) : { left: 0, top: 0 };
    const [left, top] = [around.left + (node?.x ?? 0), around.top + (node?.y ?? 0)];
    const found = { left, top, right: left + (node?.width ?? 0), bottom: top + (node?.height ?? 0) };
    boxes.set(id, found);
    return found;
  };
  const beside = new Map<string, Box[]>();
  for (const node of nodes) {
    const key = node.parent ?? '';
    const list = beside.get(key);
    if (list) list.push(boxOf(node.id));
    else beside.set(key, [boxOf(node.id)]);
  }
  return edges.flatMap((edge, at) => {
    const [source, target] = [byId.get(edge.from), byId.get(edge.to)];
    if (!source || !target) return [];
    const [above, below] = [boxOf(edge.from), boxOf(edge.to)];
    const [from, to] = [{ x: (above.left + above.right) / 2, y: above.bottom }, { x: (below.left + below.right) / 2, y: below.top }];
    const line = (path: string, x: number, y: number, passes = false): Line[] => [{ key: `${edge.from}>${edge.to}#${at}`, path, label: edge.label, x, y, beside: passes }];
    const [left, right] = [Math.min(from.x, to.x), Math.max(from.x, to.x)];
    const between = source.parent === target.parent ? (beside.get(source.parent ?? '') ?? []).filter((box) => box.top >= from.y && box.bottom <= to.y && box.left < right + 1 && box.right > left - 1) : [];
    if (between.length > 0) {
      const side = Math.max(right, ...between.map((box) => box.right)) + BESIDE;
      const [out, back] = [from.y + BESIDE, to.y - BESIDE];
      return line(bent([from, { x: from.x, y: out }, { x: side, y: out }, { x: side, y: back }, { x: to.x, y: back }, to]), side, (out + back) / 2, true);
    }
    if (Math.abs(from.x - to.x) < 1 && to.y > from.y) return line(bent([from, to]), from.x, (from.y + to.y) / 2);
    const [path, x, y] = getSmoothStepPath({ sourceX: from.x, sourceY: from.y, sourcePosition: Position.Bottom, targetX: to.x, targetY: to.y, targetPosition: Position.Top });
    return line(path, x, y);
  });
}

export const Edges = memo(function Edges({ placed }: { placed: Layout }) {
  const lines = linesOf(placed);
  return (
    <ViewportPortal>
      <svg className="edges" aria-hidden="true">
        <defs>
          <marker id="edge-end" viewBox="-10 -10 20 20" markerWidth="16" markerHeight="16" refX="0" refY="0" orient="auto-start-reverse" markerUnits="userSpaceOnUse">
            <polyline points="-5,-4 0,0 -5,4 -5,-4" />
          </marker>
        </defs>
        {lines.map((line) => (
          <path key={line.key} d={line.path} markerEnd="url(#edge-end)" />
        ))}
      </svg>
      {lines.map(
        (line) =>
          line.label && (
            <span key={line.key} className="edge-label" style={{ transform: `translate(${line.x}px, ${line.y}px) translate(${line.beside ? '-8px' : '-50%'}, -50%)` }}>
              {line.label}
            </span>
          ),
      )}
    </ViewportPortal>
  );
});
