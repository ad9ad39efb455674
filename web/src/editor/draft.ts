// What was typed and not saved, kept in this browser: a crash, a closed tab or an ended session loses nothing.
const PREFIX = 'pawl.draft.';

export type Draft = { text: string; version: number };

export function draftOf(key: string, saved: string): Draft | null {
  try {
    const draft = JSON.parse(localStorage.getItem(PREFIX + key) ?? 'null') as Draft | null;
    return draft && typeof draft.text === 'string' && draft.text !== saved && key !== 'new' ? draft : null;
  } catch {
    return null;
  }
}

export function keepDraft(key: string, text: string, version: number): void {
  if (key === 'new') return;
  try {
    localStorage.setItem(PREFIX + key, JSON.stringify({ text, version }));
  } catch {
    // The browser's store is full: the page still asks before it is left.
  }
}

export function clearDraft(key: string): void {
  localStorage.removeItem(PREFIX + key);
}
