// References of tasks.
export type Path = (string | number)[];

/** `/do/1/pay/try/0/ask` as the path of its node in the document; list places are numbers. */
export function pathOf(reference: string): Path {
  return reference
    .split('/')
    .slice(1)
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part.replaceAll('~1', '/').replaceAll('~0', '~')));
}
