// One WebSocket for the page: topics are followed while somebody asks for them, and resumed where the connection broke. An event is a hint;
// the API is the state. See docs/live.md.
import { create } from 'zustand';
import { actsIn, api } from '@/api/client';

export type LiveEvent = { id: string; event: string; topic: string; topics: string[]; data: Record<string, unknown> };
/** Why what was read may be old: it was read before the server listened (`begun`), or events were lost (`missed`). */
export type Doubt = 'begun' | 'missed';
type Follower = { topic: string; onEvent: (event: LiveEvent) => void; onReset: (why: Doubt) => void };

export const useLive = create<{ state: 'idle' | 'open' | 'lost' }>(() => ({ state: 'idle' }));

const followers = new Set<Follower>();
let socket: WebSocket | null = null;
let lastId: string | null = null;
let attempts = 0;
let timer: ReturnType<typeof setTimeout> | undefined;
let openedFor: string | null = null;
/** Topics that were asked for with the last id seen: of these the server tells what came since, or says that it cannot. */
const resumed = new Set<string>();

function topics(): string[] {
  return [...new Set([...followers].map((follower) => follower.topic))];
}

function send(message: object): void {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

function subscribe(names: string[], resume: string | null): void {
  if (socket?.readyState !== WebSocket.OPEN) return;
  for (const name of names) {
    if (resume) resumed.add(name);
    else resumed.delete(name);
  }
  send({ type: 'subscribe', topics: names, ...(resume ? { last_id: resume } : {}) });
}

function receive(text: string): void {
  const message = JSON.parse(text) as { type: string; last_id?: string } & LiveEvent;
  if (message.type === 'event') {
    lastId = message.id;
    for (const follower of followers) if (message.topics.includes(follower.topic)) follower.onEvent(message);
  } else if (message.type === 'subscribed') {
    lastId ??= message.last_id ?? null;
    attempts = 0;
    useLive.setState({ state: 'open' });
    for (const follower of followers) if (message.topics.includes(follower.topic) && !resumed.has(follower.topic)) follower.onReset('begun');
  } else if (message.type === 'error' && message.topics) {
    // A page's address may name a run that cannot be. What was asked for beside it is followed, and the line is there.
    attempts = 0;
    useLive.setState({ state: 'open' });
  } else if (message.type === 'reset') {
    for (const follower of followers) follower.onReset('missed');
    lastId = message.last_id ?? null;
  }
}

function later(): void {
  useLive.setState({ state: 'lost' });
  attempts += 1;
  const wait = Math.min(15_000, 250 * 2 ** Math.min(attempts, 6)) * (0.5 + Math.random() / 2);
  timer = setTimeout(() => void comeBack(), wait);
}

/** A handshake cannot renew the session, a request can; and a handshake that is refused does not say why. */
async function comeBack(): Promise<void> {
  const reply = await api.GET('/api/auth/me').catch(() => null);
  timer = undefined;
  if (socket || followers.size === 0) return;
  if (reply?.response.ok) connect();
  else later();
}

function connect(): void {
  clearTimeout(timer);
  timer = undefined;
  const organization = actsIn();
  // Ids of another organization's events say nothing here.
  if (openedFor !== organization) lastId = null;
  openedFor = organization;
  const query = organization ? `?organization_id=${organization}` : '';
  const made = new WebSocket(`${location.origin.replace(/^http/, 'ws')}/ws${query}`, ['pawl.v1']);
  socket = made;
  resumed.clear();
  made.onopen = () => subscribe(topics(), lastId);
  made.onmessage = (event) => socket === made && receive(String(event.data));
  made.onclose = () => {
    if (socket !== made) return;
    socket = null;
    if (followers.size === 0) {
      useLive.setState({ state: 'idle' });
      return;
    }
    later();
  };
}

function closeUnused(): void {
  if (followers.size > 0 || !socket) return;
  const old = socket;
  socket = null;
  old.close();
  useLive.setState({ state: 'idle' });
}

/** Calls back for each event of a topic, and where what was read may be old, until the returned function is called. */
export function follow(topic: string, onEvent: (event: LiveEvent) => void, onReset: (why: Doubt) => void): () => void {
  const fresh = ![...followers].some((other) => other.topic === topic);
  const follower = { topic, onEvent, onReset };
  followers.add(follower);
  if (socket && openedFor !== actsIn()) {
    const old = socket;
    socket = null;
    old.close();
  }
  if (!socket && timer === undefined) connect();
  else if (fresh) subscribe([topic], null);
  return () => {
    followers.delete(follower);
    if (topics().includes(topic)) return;
    send({ type: 'unsubscribe', topics: [topic] });
    if (followers.size === 0) setTimeout(closeUnused, 2000);
  };
}

addEventListener('online', () => {
  if (!socket && followers.size > 0) connect();
});
