// How things are shown to a person. It is kept with the account and so follows the person to every browser; the browser's copy is for the first
// picture, before the account is there, and holds what has not reached the server yet.
import { create } from 'zustand';
import { api, ask, type Schemas } from '@/api/client';
import { isZone, showTimesIn } from '@/ui/format';
import { toast } from '@/ui/toast';
import { useSession, whenPersonChanges } from './session';

export type Theme = Schemas['Preferences']['theme'];
type Change = Schemas['PreferencesChange'];

const THEME = 'pawl.theme'; // app/first.js reads it, too
const ZONE = 'pawl.zone';
const LETTERS = 'pawl.letters';
const UNSENT = 'pawl.preferences';
/** Whose account the browser's session is: another tab may have signed somebody else in. */
const PERSON = 'pawl.preferences.of';
const dark = matchMedia('(prefers-color-scheme: dark)');

type Preferences = {
  theme: Theme;
  /** Empty: that of the browser. */
  zone: string;
  /** Single letters act as shortcuts. */
  letters: boolean;
};

function fromBrowser(): Preferences {
  const theme = localStorage.getItem(THEME);
  const zone = localStorage.getItem(ZONE) ?? '';
  return { theme: theme === 'light' || theme === 'dark' ? theme : 'system', zone: isZone(zone) ? zone : '', letters: localStorage.getItem(LETTERS) !== 'off' };
}

export const usePreferences = create<Preferences>(fromBrowser);
showTimesIn(usePreferences.getState().zone);

function paint(): void {
  const { theme } = usePreferences.getState();
  document.documentElement.dataset.theme = theme === 'dark' || (theme === 'system' && dark.matches) ? 'dark' : 'light';
}

dark.addEventListener('change', paint);

function show({ theme, time_zone: zone, letter_shortcuts: letters }: Change): void {
  const now = usePreferences.getState();
  // A zone that this browser does not know cannot be shown; the account keeps it for those that do.
  const known = zone === undefined || zone === null ? now.zone : isZone(zone) ? zone : '';
  const next = { theme: theme ?? now.theme, zone: known, letters: letters ?? now.letters };
  localStorage.setItem(THEME, next.theme);
  localStorage.setItem(ZONE, next.zone);
  localStorage.setItem(LETTERS, next.letters ? 'on' : 'off');
  showTimesIn(next.zone);
  usePreferences.setState(next);
  paint();
}

/** What was chosen here and the server has not confirmed, of the person `of` alone. */
function unsent(of: string): Change {
  try {
    const kept = JSON.parse(localStorage.getItem(UNSENT) ?? '{}') as { of?: string; change?: Change };
    return kept.of === of ? (kept.change ?? {}) : {};
  } catch {
    return {};
  }
}

let sending: Promise<unknown> = Promise.resolve();

/** One after the other, so that the last choice is the one that stays. */
function send(of: string, change: Change): void {
  localStorage.setItem(UNSENT, JSON.stringify({ of, change: { ...unsent(of), ...change } }));
  sending = sending
    .then(async () => {
      const waiting = unsent(of);
      if (Object.keys(waiting).length === 0) return;
      if (localStorage.getItem(PERSON) !== of) return;
      // It arrives even where the page is left at once.
      const preferences = await ask(api.PUT('/api/auth/preferences', { body: waiting, keepalive: true }));
      const { me } = useSession.getState();
      if (me?.id === of) useSession.setState({ me: { ...me, preferences } });
      if (JSON.stringify(unsent(of)) === JSON.stringify(waiting)) localStorage.removeItem(UNSENT);
    })
    .catch(toast.failed);
}

/** All that is shown. */
function shown(): Change {
  const { theme, zone, letters } = usePreferences.getState();
  return { theme, time_zone: zone, letter_shortcuts: letters };
}

/** Acts at once, and is kept for the person who is signed in. */
export function prefer(change: Change): void {
  show(change);
  const { me } = useSession.getState();
  // With the first choice the account has all of them: what this browser had chosen for itself is to stay then.
  if (me && localStorage.getItem(PERSON) === me.id) send(me.id, me.preferences === null ? shown() : change);
}

/** What the account says. Where nothing was ever chosen, what the browser shows stays. */
function adopt(me: Schemas['Me']): void {
  localStorage.setItem(PERSON, me.id);
  const late = unsent(me.id);
  show({ ...me.preferences, ...late });
  if (Object.keys(late).length > 0) send(me.id, late);
}

/** Whoever uses the browser next begins with nothing of this person's. */
function forget(): void {
  for (const key of [THEME, ZONE, LETTERS, UNSENT, PERSON]) localStorage.removeItem(key);
  showTimesIn('');
  usePreferences.setState(fromBrowser());
  paint();
}

whenPersonChanges(adopt, forget);
