// What "Add a task" puts into the text: small, complete, accepted by the compiler.
import { Unfinished } from '@/ui/schema';
import type { Path } from './text-edit';

export const TEMPLATES = [
  { kind: 'set', about: 'make values out of expressions', body: { set: { value: '${ . }' } } },
  { kind: 'wait', about: 'wait for a time', body: { wait: { seconds: 1 } } },
  { kind: 'for', about: 'the same tasks for each item', body: { for: { each: 'item', in: '${ .items // [] }' }, do: [{ step: { set: { item: '${ $item }' } } }] } },
  { kind: 'fork', about: 'branches side by side', body: { fork: { branches: [{ left: { set: { left: true } } }, { right: { set: { right: true } } }] } } },
  { kind: 'switch', about: 'go on where a condition holds', body: { switch: [{ otherwise: { then: 'continue' } }] } },
  { kind: 'try', about: 'catch errors and try again', body: { try: [{ attempt: { set: { ok: true } } }], catch: { do: [{ recover: { set: { ok: false } } }] } } },
  { kind: 'listen', about: 'wait for an event', body: { listen: { to: { one: { with: { type: 'com.example.event' } } } } } },
  { kind: 'emit', about: 'publish an event', body: { emit: { event: { with: { source: 'https://example.org/workflow', type: 'com.example.event' } } } } },
] as const;

/** `name`, or with the first number behind it that is free. */
export function freeName(name: string, taken: readonly string[]): string {
  if (!taken.includes(name)) return name;
  for (let at = 2; ; at += 1) if (!taken.includes(`${name}${at}`)) return `${name}${at}`;
}

/** `shell-command` as `shellCommand`. */
export function nameFor(kind: string): string {
  return kind.replaceAll(/[^A-Za-z0-9]+(.)?/g, (_all, next: string | undefined) => (next ?? '').toUpperCase());
}

export function templateTask(kind: string, taken: readonly string[]): unknown {
  return { [freeName(nameFor(kind), taken)]: TEMPLATES.find((template) => template.kind === kind)?.body ?? { set: {} } };
}

/** A task that calls a function; in a task list it is an item with a `type`. */
export function calledTask(called: string, name: string, given: Record<string, unknown>, list: Path): unknown {
  const values = Object.fromEntries(Object.entries(given).filter(([, value]) => !(value instanceof Unfinished)));
  return list[0] === 'tasks' && list.length === 1 ? { id: name, type: called, params: values } : { [name]: { call: called, with: values } };
}
