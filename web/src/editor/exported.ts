// What `$context` was when a task began, worked out of the records of a run: the outputs of the tasks before it, and what their `export` makes
// of them. The server keeps no record of it. Of the expression language the part that exports are mostly written in is understood here; where
// one goes beyond that nothing is claimed.
import { parseDocument } from 'yaml';
import type { TaskRun } from '@/pages/runs/tasks';
import { pathOf } from './reference';

type Scope = { value: unknown; context: unknown };
class Beyond extends Error {}

const isObject = (value: unknown): value is Record<string, unknown> => value !== null && typeof value === 'object' && !Array.isArray(value);

function member(value: unknown, name: string): unknown {
  if (value === null || value === undefined) return null;
  if (!isObject(value)) throw new Beyond();
  return Object.hasOwn(value, name) ? value[name] : null;
}

const TOKEN = /\s*(\$context\b|\.[A-Za-z_]\w*|[A-Za-z_]\w*|"(?:[^"\\$]|\\["\\/bfnrt])*"|-?\d+(?:\.\d+)?|[.{}[\],:+()])/y;

/** Paths, `$context`, plain values, objects and `+`. */
class Reader {
  private readonly tokens: string[] = [];
  private at = 0;
  constructor(
    text: string,
    private readonly scope: Scope,
  ) {
    TOKEN.lastIndex = 0;
    const trimmed = text.trimEnd();
    while (TOKEN.lastIndex < trimmed.length) {
      const found = TOKEN.exec(trimmed);
      if (!found) throw new Beyond();
      this.tokens.push(found[1] ?? '');
    }
  }
  whole(): unknown {
    const value = this.sum();
    if (this.at < this.tokens.length) throw new Beyond();
    return value;
  }
  private next(): string {
    const token = this.tokens[this.at];
    if (token === undefined) throw new Beyond();
    this.at += 1;
    return token;
  }
  private accept(token: string): boolean {
    if (this.tokens[this.at] !== token) return false;
    this.at += 1;
    return true;
  }
  private sum(): unknown {
    let left = this.path();
    while (this.accept('+')) {
      const right = this.path();
      if (right === null) continue;
      if (left === null) left = right;
      else if (typeof left === 'number' && typeof right === 'number') left += right;
      else if (typeof left === 'string' && typeof right === 'string') left += right;
      else if (Array.isArray(left) && Array.isArray(right)) left = [...(left as unknown[]), ...(right as unknown[])];
      else if (isObject(left) && isObject(right)) left = { ...left, ...right };
      else throw new Beyond();
    }
    return left;
  }
  private path(): unknown {
    let value = this.start();
    while (/^\.\w/.test(this.tokens[this.at] ?? '')) value = member(value, this.next().slice(1));
    return value;
  }
  private start(): unknown {
    const token = this.next();
    if (token === '.') return this.scope.value;
    if (token === '$context') return this.scope.context;
    if (token.startsWith('.')) return member(this.scope.value, token.slice(1));
    if (token === '{') return this.object();
    if (token === '(') {
      const value = this.sum();
      if (!this.accept(')')) throw new Beyond();
      return value;
    }
    if (token.startsWith('"') || /^(-?\d.*|true|false|null)$/.test(token)) return JSON.parse(token);
    throw new Beyond();
  }
  private object(): Record<string, unknown> {
    const made: Record<string, unknown> = {};
    if (this.accept('}')) return made;
    do {
      const name = this.next();
      const key = name.startsWith('"') ? (JSON.parse(name) as string) : /^[A-Za-z_]\w*$/.test(name) ? name : null;
      if (key === null || key === '__proto__') throw new Beyond();
      made[key] = this.accept(':') ? this.path() : member(this.scope.value, key);
    } while (this.accept(','));
    if (!this.accept('}')) throw new Beyond();
    return made;
  }
}

/** Values that hold expressions, as far as they are understood. */
function evaluated(template: unknown, scope: Scope): unknown {
  if (typeof template === 'string') {
    const inner = /^\s*\$\{(.*)\}\s*$/s.exec(template)?.[1];
    if (inner !== undefined) return new Reader(inner, scope).whole();
    if (template.includes('${')) throw new Beyond();
    return template;
  }
  if (Array.isArray(template)) return template.map((item) => evaluated(item, scope));
  if (isObject(template)) return Object.fromEntries(Object.entries(template).map(([name, value]) => [name, evaluated(value, scope)]));
  return template;
}

/** Undefined where it cannot be said, and where it was no object. */
export function contextBefore(definition: string, tasks: readonly TaskRun[], task: TaskRun): Record<string, unknown> | undefined {
  const document = parseDocument(definition);
  const before = tasks.filter((one) => one !== task && one.status === 'completed' && one.ended_at !== null && task.started_at !== null && one.ended_at <= task.started_at);
  before.sort((a, b) => (a.ended_at ?? '').localeCompare(b.ended_at ?? ''));
  let context: unknown = {};
  try {
    for (const { reference, output } of before) {
      const template = document.getIn([...pathOf(reference), 'export', 'as'], false) as { toJSON?: () => unknown } | string | undefined;
      if (template === undefined) continue;
      context = evaluated(typeof template === 'object' ? template.toJSON?.() : template, { value: output, context });
    }
  } catch (error) {
    if (error instanceof Beyond) return undefined;
    throw error;
  }
  return isObject(context) ? context : undefined;
}
