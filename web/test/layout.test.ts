import { describe, expect, it } from 'vitest';
import { linesOf } from '@/graph/edges';
import { type Graph, layout, NODE, type Placed } from '@/graph/layout';

const node = (id: string, parent?: string) => ({ id, name: id.split('/').at(-1) ?? '', type: 'set', ...(parent ? { parent } : {}) });
const by = (nodes: Placed[], id: string) => nodes.find((one) => one.id === id) as Placed;

const NESTED: Graph = {
  nodes: [
    node('/do/0/a'),
    node('/do/1/t'),
    node('/do/2/z'),
    node('/do/1/t/try/0/x', '/do/1/t'),
    node('/do/1/t/try/1/y', '/do/1/t'),
    node('/do/1/t/catch/do/0/h', '/do/1/t'),
    node('/do/1/t/try/0/x/fork/branches/0/l', '/do/1/t/try/0/x'),
    node('/do/1/t/try/0/x/fork/branches/1/r', '/do/1/t/try/0/x'),
  ],
  edges: [
    { from: '/do/0/a', to: '/do/1/t' },
    { from: '/do/1/t', to: '/do/2/z' },
    { from: '/do/1/t/try/0/x', to: '/do/1/t/try/1/y' },
    { from: '/do/2/z', to: '/do/0/a', label: 'again' },
    { from: '/do/0/a', to: 'end', label: 'nothing to do' },
  ],
};

describe('the picture of a workflow', () => {
  it('has each task inside of the box that holds it, boxes first, and nothing overlaps', () => {
    const { nodes } = layout(NESTED);
    expect(nodes).toHaveLength(NESTED.nodes.length);
    for (const [at, one] of nodes.entries()) {
      if (one.parent) {
        const box = by(nodes, one.parent);
        expect(nodes.indexOf(box)).toBeLessThan(at);
        expect(one.x).toBeGreaterThanOrEqual(0);
        expect(one.y).toBeGreaterThanOrEqual(30);
        expect(one.x + one.width).toBeLessThanOrEqual(box.width);
        expect(one.y + one.height).toBeLessThanOrEqual(box.height);
      }
      for (const other of nodes) {
        if (other === one || other.parent !== one.parent) continue;
        const apart = one.x + one.width <= other.x || other.x + other.width <= one.x || one.y + one.height <= other.y || other.y + other.height <= one.y;
        expect(apart, `${one.id} ${other.id}`).toBe(true);
      }
    }
  });

  it('runs downwards, branches stand side by side, so do the parts of a try', () => {
    const { nodes } = layout(NESTED);
    expect(by(nodes, '/do/0/a').y).toBeLessThan(by(nodes, '/do/1/t').y);
    expect(by(nodes, '/do/1/t').y).toBeLessThan(by(nodes, '/do/2/z').y);
    const [left, right] = ['l', 'r'].map((name, at) => by(nodes, `/do/1/t/try/0/x/fork/branches/${at}/${name}`));
    expect(left?.y).toBe(right?.y);
    expect(by(nodes, '/do/1/t/catch/do/0/h').x).toBeGreaterThan(by(nodes, '/do/1/t/try/1/y').x);
  });

  it('says where a run ends, and a jump back does not turn it upside down', () => {
    const { nodes, edges } = layout(NESTED);
    expect(by(nodes, '/do/0/a').ends).toEqual(['nothing to do']);
    expect(edges.some((edge) => edge.to === 'end')).toBe(false);
    expect(edges.some((edge) => edge.label === 'again')).toBe(true);
  });

  it('puts tasks of a list below what they depend on, whatever their order', () => {
    const { nodes } = layout({ nodes: [node('/tasks/0'), node('/tasks/1'), node('/tasks/2')], edges: [{ from: '/tasks/2', to: '/tasks/0' }, { from: '/tasks/0', to: '/tasks/1' }] });
    expect(by(nodes, '/tasks/2').y).toBeLessThan(by(nodes, '/tasks/0').y);
    expect(by(nodes, '/tasks/0').y).toBeLessThan(by(nodes, '/tasks/1').y);
  });

  it('is there for dependencies that go round in a circle, and for 1,000 tasks soon', () => {
    expect(layout({ nodes: [node('/tasks/0'), node('/tasks/1')], edges: [{ from: '/tasks/0', to: '/tasks/1' }, { from: '/tasks/1', to: '/tasks/0' }] }).nodes).toHaveLength(2);
    const nodes = Array.from({ length: 1000 }, (_, at) => node(`/do/${at}/t`));
    const edges = nodes.slice(1).map((one, at) => ({ from: `/do/${at}/t`, to: one.id }));
    expect(layout({ nodes, edges }).nodes).toHaveLength(1000);
  });
});

describe('the lines between tasks', () => {
  const list: Graph = {
    nodes: [node('/do/0/a'), node('/do/1/b'), node('/do/2/c')],
    edges: [
      { from: '/do/0/a', to: '/do/1/b', label: 'large' },
      { from: '/do/0/a', to: '/do/2/c', label: 'usual' },
      { from: '/do/1/b', to: '/do/2/c' },
    ],
  };
  it('go straight down where nothing is between, and beside what is', () => {
    const placed = layout(list);
    const [next, over] = linesOf(placed);
    expect(next?.path).toMatch(/^M92 44L92 \d+$/);
    // To the right of the task that is passed, with the label there.
    expect(over?.x).toBeGreaterThan(by(placed.nodes, '/do/1/b').x + NODE.width);
    expect(over?.label).toBe('usual');
  });

  it('begin and end where the tasks are, whatever box they stand in', () => {
    const placed = layout(NESTED);
    expect(linesOf(placed)).toHaveLength(4);
    for (const line of linesOf(placed)) expect(line.path).toMatch(/^M[\d.]+[ ,][\d.]+/);
    const box = by(placed.nodes, '/do/1/t');
    const inner = by(placed.nodes, '/do/1/t/try/0/x');
    const [x = 0, y = 0] = (linesOf(placed)[2]?.path.slice(1).split(/[ ,L]/) ?? []).map(Number);
    expect(x).toBeCloseTo(box.x + inner.x + inner.width / 2);
    expect(y).toBeCloseTo(box.y + inner.y + inner.height);
  });
});
