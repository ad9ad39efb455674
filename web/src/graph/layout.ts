// Where the tasks of a workflow stand. The language is a tree of lists: tasks that hold others are boxes around them; within a box, tasks
// stand in rows by how far they are from its beginning. Pure: the same graph always gives the same picture.
export type GraphNode = { id: string; name: string; type: string; parent?: string };
export type GraphEdge = { from: string; to: string; label?: string };
export type Graph = { nodes: GraphNode[]; edges: GraphEdge[] };

export type Placed = GraphNode & {
  /** Relative to the box that it stands in. */
  x: number;
  y: number;
  width: number;
  height: number;
  box: boolean;
  /** Directives that end the run here; the condition, or nothing. */
  ends: string[];
};
export type Layout = { nodes: Placed[]; edges: GraphEdge[]; width: number; height: number };

export const NODE = { width: 184, height: 44 };
const GAP = { x: 24, y: 32 };
const PAD = { x: 14, top: 38, bottom: 14 };
/** Between the parts of a task that has several, such as `try` and `catch`. */
const PART_GAP = 28;

/** Which part of its parent a task belongs to: `try`, `catch`, `do`, ... */
function partOf(node: GraphNode): string {
  const rest = node.id.slice((node.parent ?? '').length + 1);
  return rest.split('/')[0] ?? '';
}

function ranksOf(members: GraphNode[], edges: GraphEdge[]): Map<string, number> {
  const order = new Map(members.map((node, at) => [node.id, at]));
  const ranks = new Map(members.map((node) => [node.id, 0]));
  const forward = edges.filter((edge) => (order.get(edge.from) ?? Infinity) < (order.get(edge.to) ?? -1));
  const leaving = new Map<string, string[]>();
  for (const edge of forward) leaving.set(edge.from, [...(leaving.get(edge.from) ?? []), edge.to]);
  // Lists are in order of execution, so one pass in that order settles every rank.
  for (const node of members) {
    for (const to of leaving.get(node.id) ?? []) ranks.set(to, Math.max(ranks.get(to) ?? 0, (ranks.get(node.id) ?? 0) + 1));
  }
  return ranks;
}

/** Task lists may name a later task as the one before: put in an order that their dependencies allow, where there is one. */
function ordered(members: GraphNode[], edges: GraphEdge[]): GraphNode[] {
  const inside = new Set(members.map((node) => node.id));
  const waits = new Map(members.map((node) => [node.id, 0]));
  const within = edges.filter((edge) => inside.has(edge.from) && inside.has(edge.to));
  for (const edge of within) waits.set(edge.to, (waits.get(edge.to) ?? 0) + 1);
  const after = new Map<string, string[]>();
  for (const edge of within) after.set(edge.from, [...(after.get(edge.from) ?? []), edge.to]);
  const byId = new Map(members.map((node) => [node.id, node]));
  const ready = members.filter((node) => waits.get(node.id) === 0);
  const result: GraphNode[] = [];
  for (let at = 0; at < ready.length; at += 1) {
    const node = ready[at] as GraphNode;
    result.push(node);
    for (const to of after.get(node.id) ?? []) {
      const left = (waits.get(to) ?? 0) - 1;
      waits.set(to, left);
      const next = byId.get(to);
      if (left === 0 && next) ready.push(next);
    }
  }
  return result.length === members.length ? result : members;
}

export function layout(graph: Graph): Layout {
  const children = new Map<string, GraphNode[]>();
  for (const node of graph.nodes) children.set(node.parent ?? '', [...(children.get(node.parent ?? '') ?? []), node]);
  const ends = new Map<string, string[]>();
  const known = new Set(graph.nodes.map((node) => node.id));
  const edges = graph.edges.filter((edge) => known.has(edge.from) && known.has(edge.to));
  for (const edge of graph.edges) if (edge.to === 'end') ends.set(edge.from, [...(ends.get(edge.from) ?? []), edge.label ?? '']);
  const placed: Placed[] = [];

  /** Places the tasks of one list with its upper left corner at (left, top); the size that they take. */
  function placeList(members: GraphNode[], left: number, top: number): { width: number; height: number } {
    const list = ordered(members, edges);
    const ranks = ranksOf(list, edges);
    const rows: { node: GraphNode; size: { width: number; height: number } }[][] = [];
    for (const node of list) {
      const row = ranks.get(node.id) ?? 0;
      (rows[row] ??= []).push({ node, size: placeInside(node) });
    }
    const filled = rows.filter((row) => row !== undefined);
    const width = Math.max(0, ...filled.map((row) => row.reduce((sum, item) => sum + item.size.width + GAP.x, -GAP.x)));
    let y = top;
    for (const row of filled) {
      const rowWidth = row.reduce((sum, item) => sum + item.size.width + GAP.x, -GAP.x);
      let x = left + (width - rowWidth) / 2;
      const height = Math.max(...row.map((item) => item.size.height));
      for (const { node, size } of row) {
        placed.push({ ...node, x, y, ...size, box: children.has(node.id), ends: ends.get(node.id) ?? [] });
        x += size.width + GAP.x;
      }
      y += height + GAP.y;
    }
    return { width, height: Math.max(0, y - GAP.y - top) };
  }

  /** The size of a task; what it holds is placed relative to it. */
  function placeInside(node: GraphNode): { width: number; height: number } {
    const inner = children.get(node.id);
    if (!inner) return NODE;
    const parts = new Map<string, GraphNode[]>();
    for (const child of inner) parts.set(partOf(child), [...(parts.get(partOf(child)) ?? []), child]);
    let x = PAD.x;
    let height = 0;
    for (const members of parts.values()) {
      const size = placeList(members, x, PAD.top);
      x += size.width + PART_GAP;
      height = Math.max(height, size.height);
    }
    return { width: Math.max(NODE.width, x - PART_GAP + PAD.x), height: PAD.top + height + PAD.bottom };
  }

  const size = placeList(children.get('') ?? [], 0, 0);
  // A box comes before what stands in it.
  const depth = new Map<string, number>();
  const depthOf = (node: GraphNode): number => {
    if (!node.parent) return 0;
    const parent = placed.find((other) => other.id === node.parent);
    return parent ? (depth.get(parent.id) ?? depthOf(parent)) + 1 : 0;
  };
  for (const node of placed) depth.set(node.id, depthOf(node));
  placed.sort((a, b) => (depth.get(a.id) ?? 0) - (depth.get(b.id) ?? 0));
  return { nodes: placed, edges, ...size };
}
