import { QueryClient } from '@tanstack/react-query';
import { expect, it } from 'vitest';
import { whenRead } from '@/live/when-read';

/** A query that answers when it is told to. */
function reading(queries: QueryClient, queryKey: string[]): () => Promise<unknown> {
  let answer: ((value: string) => void) | undefined;
  const read = queries.fetchQuery({
    queryKey,
    queryFn: () =>
      new Promise<string>((resolve) => {
        answer = resolve;
      }),
  });
  return () => {
    answer?.('read');
    return read;
  };
}

it('waits for what it is about, however long something else is read', async () => {
  const queries = new QueryClient();
  const slow = reading(queries, ['o', 'other']);
  const own = reading(queries, ['o', 'runs', 'list', 'a']);
  let called = 0;
  whenRead(queries, ['o', 'runs', 'list'], () => {
    called += 1;
  });
  expect(called).toBe(0);
  await own();
  await expect.poll(() => called).toBe(1);
  expect(queries.isFetching()).toBe(1);
  await slow();
  expect(called).toBe(1);
});

it('calls at once where nothing of it is read, and never after it was left', async () => {
  const queries = new QueryClient();
  const own = reading(queries, ['o', 'runs']);
  let called = 0;
  const count = () => {
    called += 1;
  };
  whenRead(queries, ['o', 'approvals'], count);
  expect(called).toBe(1);
  whenRead(queries, ['o', 'runs'], count)();
  await own();
  await expect.poll(() => queries.isFetching()).toBe(0);
  expect(called).toBe(1);
});
