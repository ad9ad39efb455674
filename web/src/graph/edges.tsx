// The lines of the drawing: one SVG for all of them. As edges of the library each would be an SVG of its own that looks at every movement, which
// is most of what a graph of hundreds of tasks costs while it is moved.
import { getSmoothStepPath, Position, ViewportPortal } from '@xyflow/react';
import { memo } from 'react';
import type { Layout } from './layout';

type Line = { key: string; path: string; label: string | undefined; x: number; y: number };

/** From the middle below a task to the middle above the next. */
export function linesOf({ nodes, edges }: Layout): Line[] {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const corners = new Map<string, { x: number; y: number }>();
  const corner = (id: string): { x: number; y: number } => {
    const known = corners.get(id);
    if (known) return known;
    const node = byId.get(id);
    const around = node?.parent ? corner(node.parent) : { x: 0, y: 0 };
    const found = { x: around.x + (node?.x ?? 0), y: around.y + (node?.y ?? 0) };
    corners.set(id, found);
    return found;
  };
  return edges.flatMap((edge, at) => {
    const [source, target] = [byId.get(edge.from), byId.get(edge.to)];
    if (!source || !target) return [];
    const [from, to] = [corner(edge.from), corner(edge.to)];
    const [path, x, y] = getSmoothStepPath({
      sourceX: from.x + source.width / 2,
      sourceY: from.y + source.height,
      sourcePosition: Position.Bottom,
      targetX: to.x + target.width / 2,
      targetY: to.y,
      targetPosition: Position.Top,
    });
    return [{ key: `${edge.from}>${edge.to}#${at}`, path, label: edge.label, x, y }];
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
            <span key={line.key} className="edge-label" style={{ transform: `translate(-50%, -50%) translate(${line.x}px, ${line.y}px)` }}>
              {line.label}
            </span>
          ),
      )}
    </ViewportPortal>
  );
});
