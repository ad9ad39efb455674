import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { detailAt } from '@/graph/detail';

const sheet = readFileSync(new URL('../src/graph/graph.css', import.meta.url), 'utf8');
/** In the drawing's own pixels; where the sheet of the graph says nothing it is the page's small text. */
const sizeOf = (detail: string) => Number(new RegExp(`\\[data-detail='${detail}'\\][^{]*\\bp\\b[^{]*\\{\\s*font-size: (\\d+)px`).exec(sheet)?.[1] ?? 12);

it('no text of a drawing is smaller than 9 pixels on the screen, whatever the zoom', () => {
  const small: string[] = [];
  for (let zoom = 0.1; zoom <= 1.6; zoom += 0.01) {
    const detail = detailAt(zoom);
    if (detail !== 'none' && zoom * sizeOf(detail) < 8.9) small.push(`${detail} at ${zoom}`);
  }
  expect(small).toEqual([]);
});

it('a smaller drawing never says more', () => {
  const order = ['none', 'large', 'names', 'all'];
  let before = 0;
  for (let zoom = 0.1; zoom <= 1.6; zoom += 0.01) {
    const now = order.indexOf(detailAt(zoom));
    expect(now).toBeGreaterThanOrEqual(before);
    before = now;
  }
  expect(before).toBe(3);
});
