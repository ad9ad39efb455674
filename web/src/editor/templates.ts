// What "Add a task" puts into the text: small, complete, accepted by the compiler.
import type { Path } from './text-edit';

type FunctionInfo = { name: string; examples?: unknown };

export const TEMPLATES = [
  { kind: 'set', about: 'make values out of expressions', body: { set: { value: '${ . }' } } },
  { kind: 'wait', about: 'wait for a time', body: { wait: { seconds: 1 } } },
  { kind: 'for', about: 'the same tasks for each item', body: { for: { each: 'item', in: '${ .items // [] }' }, do: [{ step: { set: { item: '${ $item }' } } }] } },
  { kind: 'fork', about: 'branches side by side', body: { fork: { branches: [{ left: { set: { left: true } } }, { right: { set: { right: true } } }] } } },
  { kind: 'switch', about: 'go on where a condition holds', body: { switch: [{ otherwise: { then: 'continue' } }] } },
  { kind: 'try', about: 'catch errors and try again', body: { try: [{ attempt: { set: { ok: true } } }], catch: { do: [{ recover: { set: { ok: false } } }] } } },
  { kind: 'http', about: 'make an HTTP request', body: { call: 'http', with: { method: 'get', endpoint: 'https://example.org' } } },
] as const;

/** `name`, or with the first number behind it that is free. */
export function freeName(name: string, taken: readonly string[]): string {
  if (!taken.includes(name)) return name;
  for (let at = 2; ; at += 1) if (!taken.includes(`${name}${at}`)) return `${name}${at}`;
}

export function templateOf(kind: string, functions: readonly FunctionInfo[], taken: readonly string[], list: Path): unknown {
  const called = kind.startsWith('call:') ? kind.slice(5) : null;
  const example = called ? (functions.find((one) => one.name === called)?.examples as unknown[] | undefined)?.[0] : undefined;
  const base = (called ?? kind).replaceAll(/[^A-Za-z0-9]+(.)?/g, (_all, next: string | undefined) => (next ?? '').toUpperCase());
  if (list[0] === 'tasks' && list.length === 1) {
    return { id: freeName(base, taken), type: called ?? 'noop', params: example ?? {} };
  }
  const body = called ? { call: called, with: example ?? {} } : (TEMPLATES.find((template) => template.kind === kind)?.body ?? { set: {} });
  return { [freeName(base, taken)]: body };
}
