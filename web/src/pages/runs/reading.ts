// The three ways to read what an agent did: as a conversation, by its turns, by every value.
export const READINGS = ['messages', 'turns', 'details'] as const;
export type Reading = (typeof READINGS)[number];

export function readingOf(text: string | undefined): Reading {
  return READINGS.find((one) => one === text) ?? 'turns';
}
