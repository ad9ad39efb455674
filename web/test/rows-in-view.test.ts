import { expect, it } from 'vitest';
import { rowsInView } from '@/ui/rows-in-view';

const HEIGHT = 56;

it.each([
  [0, 850, 10_000],
  [-300, 850, 10_000],
  [5000, 850, 10_000],
  [559_150, 850, 10_000],
  [5_000_000, 850, 10_000],
  [0, 850, 3],
  [0, 850, 0],
])('at %d of a list all rows that are seen are there, and few others (window of %d, %d rows)', (top, room, count) => {
  const { from, to } = rowsInView(top, room, count, HEIGHT);
  expect(from).toBeGreaterThanOrEqual(0);
  expect(to).toBeLessThanOrEqual(count);
  expect(to).toBeGreaterThanOrEqual(from);
  expect(to - from).toBeLessThanOrEqual(Math.ceil(room / HEIGHT) + 34);
  for (let row = 0; row < count; row += 1) {
    const seen = (row + 1) * HEIGHT > top && row * HEIGHT < top + room;
    if (seen) expect(row >= from && row < to).toBe(true);
  }
});

it('most steps of a scroll change nothing', () => {
  let changes = 0;
  let before = '';
  for (let top = 0; top < HEIGHT * 400; top += 7) {
    const { from, to } = rowsInView(top, 850, 10_000, HEIGHT);
    if (`${from} ${to}` !== before) changes += 1;
    before = `${from} ${to}`;
  }
  expect(changes).toBeLessThan(220);
});
