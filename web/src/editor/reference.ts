// References of tasks.
export type Path = (string | number)[];

/** `/do/1/pay/try/0/ask` as the path of its node in the document; list places are numbers. */
export function pathOf(reference: string): Path {
  return reference
    .split('/')
    .slice(1)
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part.replaceAll('~1', '/').replaceAll('~0', '~')));
}

/** The list that a task stands in and its place there. */
export function placeOf(reference: string): { list: Path; index: number } | null {
  const path = pathOf(reference);
  const at = path.findLastIndex((part) => typeof part === 'number');
  if (at < 0) return null;
  return { list: path.slice(0, at), index: path[at] as number };
}

/** Whether both stand at the same place of the same list, whatever they are called. */
export function isSamePlace(one: string, other: string): boolean {
  const [a, b] = [placeOf(one), placeOf(other)];
  return a !== null && b !== null && a.index === b.index && a.list.join('/') === b.list.join('/');
}

/** The reference of a task that now has another place in its list. */
export function movedTo(reference: string, index: number): string {
  const parts = reference.split('/');
  const at = parts.findLastIndex((part) => /^\d+$/.test(part));
  return at < 0 ? reference : parts.with(at, String(index)).join('/');
}
