import { afterEach, beforeEach, expect, test, vi } from 'vitest';

vi.mock('@/api/client', () => ({ actsIn: () => null, api: { GET: async () => ({ response: { ok: true } }) } }));

class FakeSocket {
  static readonly OPEN = 1;
  static made: FakeSocket[] = [];
  readyState = 0;
  sent: { type: string; topics: string[] }[] = [];
  onopen = () => {};
  onmessage = (_event: { data: string }) => {};
  onclose = () => {};
  constructor() {
    FakeSocket.made.push(this);
  }
  send(text: string) {
    this.sent.push(JSON.parse(text));
  }
  close() {}
  open() {
    this.readyState = FakeSocket.OPEN;
    this.onopen();
  }
  hear(message: object) {
    this.onmessage({ data: JSON.stringify(message) });
  }
}

beforeEach(() => {
  vi.resetModules();
  FakeSocket.made = [];
  vi.stubGlobal('WebSocket', FakeSocket);
  vi.stubGlobal('location', { origin: 'http://localhost' });
  vi.stubGlobal('addEventListener', () => {});
});
afterEach(() => vi.unstubAllGlobals());

async function live() {
  const { follow, useLive } = await import('@/live/socket');
  return { follow, state: () => useLive.getState().state };
}

const refusal = { type: 'error', code: 'live.topic', message: 'There is no such topic.', topics: ['run:nonsense'] };

test('what is asked for beside a topic that there is not is followed', async () => {
  const { follow, state } = await live();
  const told: string[] = [];
  const begun: string[] = [];
  for (const topic of ['run:nonsense', 'runs']) follow(topic, (event) => told.push(`${topic} ${event.event}`), () => begun.push(topic));
  const socket = FakeSocket.made[0];
  if (!socket) throw new Error('no socket was opened');
  socket.open();
  expect(socket.sent).toEqual([{ type: 'subscribe', topics: ['run:nonsense', 'runs'] }]);
  socket.hear(refusal);
  socket.hear({ type: 'subscribed', topics: ['runs'], last_id: 'a-1' });
  socket.hear({ type: 'event', id: 'a-2', event: 'run.status', topic: 'runs', topics: ['runs', 'run:other'], data: {} });
  expect([state(), begun, told]).toEqual(['open', ['runs'], ['runs run.status']]);
});

test('a page that follows no other topic is connected all the same', async () => {
  const { follow, state } = await live();
  const leave = follow('run:nonsense', () => {}, () => {});
  const socket = FakeSocket.made[0];
  if (!socket) throw new Error('no socket was opened');
  socket.open();
  socket.hear({ type: 'error', code: 'live.message', message: 'A message must be a JSON object.' });
  expect(state()).toBe('idle');
  socket.hear(refusal);
  expect(state()).toBe('open');
  leave();
  expect(socket.sent.at(-1)).toEqual({ type: 'unsubscribe', topics: ['run:nonsense'] });
});
