// Who is signed in, and in which organization requests act.
import { create } from 'zustand';
import { api, actIn, ask, type Schemas, whenSignedOut } from '@/api/client';

export type Role = 'viewer' | 'member' | 'admin' | 'owner';
const RANK: Record<Role, number> = { viewer: 0, member: 1, admin: 2, owner: 3 };
const KEY = 'pawl.organization';

type Session = {
  me: Schemas['Me'] | null;
  organization: string | null;
  /** The session has ended while a page was open. */
  expired: boolean;
};

export const useSession = create<Session>(() => ({ me: null, organization: null, expired: false }));

whenSignedOut(() => {
  if (useSession.getState().me) useSession.setState({ expired: true });
});

let onArrival: (me: Schemas['Me']) => void = () => undefined;
let onLeaving: () => void = () => undefined;

/** Called before anything is shown to a person who comes in, and when one has signed out. */
export function whenPersonChanges(arrival: (me: Schemas['Me']) => void, leaving: () => void): void {
  onArrival = arrival;
  onLeaving = leaving;
}

declare global {
  interface Window {
    /** The answer that app/first.js has asked for already. */
    pawlMe?: Promise<Response> | undefined;
  }
}

/** What was asked for before the program was there, once; nothing where that was refused or did not get through. */
async function askedEarly(): Promise<Schemas['Me'] | null> {
  const early = window.pawlMe;
  window.pawlMe = undefined;
  const reply = await early?.catch(() => undefined);
  return reply?.ok ? ((await reply.json()) as Schemas['Me']) : null;
}

export async function loadMe(): Promise<Schemas['Me']> {
  const me = (await askedEarly()) ?? (await ask(api.GET('/api/auth/me')));
  const wanted = sessionStorage.getItem(KEY) ?? localStorage.getItem(KEY);
  const known = me.organizations.some((membership) => membership.id === wanted) || (me.is_superuser && wanted);
  const organization = known ? wanted : me.organization_id;
  actIn(organization);
  // Once for each visit: times that change their zone under somebody's hands would put what is being typed at risk.
  if (useSession.getState().me?.id !== me.id) onArrival(me);
  useSession.setState({ me, organization, expired: false });
  return me;
}

export function chooseOrganization(id: string): void {
  sessionStorage.setItem(KEY, id);
  localStorage.setItem(KEY, id);
  actIn(id);
  useSession.setState({ organization: id });
}

export const PIN = 'pawl.pin.';

export function forgetPins(): void {
  for (const name of Object.keys(sessionStorage)) if (name.startsWith(PIN)) sessionStorage.removeItem(name);
}

export async function signOut(): Promise<void> {
  await ask(api.POST('/api/auth/logout'));
  // Whoever uses the browser next finds nothing of this person's work in it. A session that only ended keeps it.
  for (const name of Object.keys(localStorage)) if (name.startsWith('pawl.draft.')) localStorage.removeItem(name);
  forgetPins();
  onLeaving();
  useSession.setState({ me: null, organization: null, expired: false });
  actIn(null);
}

export function roleIn(me: Schemas['Me'] | null, organization: string | null): Role {
  if (me?.is_superuser) return 'owner';
  return (me?.organizations.find((membership) => membership.id === organization)?.role as Role | undefined) ?? 'viewer';
}

/** May the person do here what `role` may? What the server allows is decided there; this hides what would be refused. */
export function useMay(role: Role): boolean {
  return useSession((state) => RANK[roleIn(state.me, state.organization)] >= RANK[role]);
}

/** Of the query cache: what belongs to another organization is another entry. */
export function scope(): string {
  return useSession.getState().organization ?? '';
}
