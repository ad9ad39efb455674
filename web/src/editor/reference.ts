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
