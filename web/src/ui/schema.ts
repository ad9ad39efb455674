// JSON Schema as forms need it: which control a value gets, and what is plainly wrong before anything is sent. The server decides.
import { t } from '@/i18n/en';

export type Schema = {
  type?: string | string[];
  title?: string;
  description?: string;
  default?: unknown;
  examples?: unknown[];
  enum?: unknown[];
  const?: unknown;
  format?: string;
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  oneOf?: Schema[];
  anyOf?: Schema[];
  writeOnly?: boolean;
};
export type Problems = Record<string, string>;

/** How the server shows a secret that it keeps. */
export const MASK = '********';

/** What was typed and is no value of its kind yet: it stays in the form and is a finding there. */
export class Unfinished {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export type Control = 'choice' | 'flag' | 'number' | 'secret' | 'text' | 'long' | 'list' | 'group' | 'value';

export function isSchema(value: unknown): value is Schema {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

function typesOf(schema: Schema): string[] {
  return schema.type === undefined ? [] : [schema.type].flat().filter((type) => type !== 'null');
}

export function controlOf(schema: Schema): Control {
  if (schema.enum && schema.enum.length > 0) return 'choice';
  const [type, ...others] = typesOf(schema);
  if (others.length > 0 || type === undefined) return schema.properties && type === undefined ? 'group' : 'value';
  switch (type) {
    case 'boolean':
      return 'flag';
    case 'number':
    case 'integer':
      return 'number';
    case 'string':
      return schema.writeOnly ? 'secret' : (schema.maxLength ?? 0) > 2000 || schema.format === 'textarea' ? 'long' : 'text';
    case 'array':
      return schema.items && controlOf(schema.items) !== 'value' ? 'list' : 'value';
    case 'object':
      return schema.properties && Object.keys(schema.properties).length > 0 ? 'group' : 'value';
    default:
      return 'value';
  }
}

/** In words, for documentation: `text, at most 200 characters`. */
export function kindInWords(schema: Schema): string {
  const kind = typesOf(schema).map((type) => t.form.types[type as keyof typeof t.form.types] ?? type).join(t.form.or);
  const variants = schema.oneOf ?? schema.anyOf ?? [];
  const parts = [kind || [...new Set(variants.filter((one) => one.type !== undefined).map(kindInWords))].join(t.form.or) || t.form.anything];
  if (schema.items && typesOf(schema.items).length > 0) parts.push(t.form.listOf(kindInWords(schema.items)));
  if (schema.minimum !== undefined) parts.push(t.form.atLeast(schema.minimum));
  if (schema.maximum !== undefined) parts.push(t.form.atMost(schema.maximum));
  if (schema.maxLength !== undefined) parts.push(t.form.maxLength(schema.maxLength));
  return parts.join(', ');
}

/** What a new item of a list, or a required group, begins with. */
export function blankOf(schema: Schema): unknown {
  if (schema.default !== undefined) return schema.default;
  const control = controlOf(schema);
  return control === 'group' ? {} : control === 'list' ? [] : control === 'flag' ? false : control === 'text' || control === 'long' ? '' : undefined;
}

/** An expression of the workflow language stands for a value of any kind. */
export const isExpression = (value: unknown): boolean => typeof value === 'string' && /^\s*\$\{[\s\S]*\}\s*$/.test(value);

const escaped = (name: string) => name.replaceAll('~', '~0').replaceAll('/', '~1');
export const below = (pointer: string, name: string | number): string => `${pointer}/${escaped(String(name))}`;

function ofType(type: string, value: unknown): boolean {
  if (type === 'integer') return Number.isInteger(value);
  if (type === 'array') return Array.isArray(value);
  if (type === 'null') return value === null;
  if (type === 'object') return value !== null && typeof value === 'object' && !Array.isArray(value);
  return typeof value === type;
}

function problemOf(schema: Schema, value: unknown): string | null {
  if (value instanceof Unfinished) return controlOf(schema) === 'number' ? t.form.noNumber : t.form.noJson;
  if (schema.enum && !schema.enum.some((one) => JSON.stringify(one) === JSON.stringify(value))) return t.form.noChoice;
  const types = schema.type === undefined ? [] : [schema.type].flat();
  if (types.length > 0 && !types.some((type) => ofType(type, value))) return t.form.wrongType(kindInWords({ type: types }));
  if (typeof value === 'string' && value !== MASK) {
    if (schema.minLength !== undefined && value.length < schema.minLength) return t.form.tooShort(schema.minLength);
    if (schema.maxLength !== undefined && value.length > schema.maxLength) return t.form.tooLong(schema.maxLength);
    if (schema.pattern !== undefined && !matches(schema.pattern, value)) return t.form.noMatch(schema.pattern);
  }
  if (typeof value === 'number') {
    if (schema.minimum !== undefined && value < schema.minimum) return t.form.atLeast(schema.minimum);
    if (schema.maximum !== undefined && value > schema.maximum) return t.form.atMost(schema.maximum);
  }
  if (Array.isArray(value) && schema.minItems !== undefined && value.length < schema.minItems) return t.form.tooFew(schema.minItems);
  return null;
}

/** A pattern that this browser cannot read is left to the server. */
function matches(pattern: string, value: string): boolean {
  try {
    return new RegExp(pattern, 'u').test(value);
  } catch {
    return true;
  }
}

/** What is wrong, by JSON pointer. With `expressions`, text of the form `${ }` may stand for any value. */
export function check(schema: Schema, value: unknown, expressions = false, pointer = ''): Problems {
  if (expressions && isExpression(value)) return {};
  const problem = problemOf(schema, value);
  if (problem) return { [pointer]: problem };
  const found: Problems = {};
  if (Array.isArray(value)) {
    for (const [at, item] of value.entries()) if (schema.items) Object.assign(found, check(schema.items, item, expressions, below(pointer, at)));
  } else if (value !== null && typeof value === 'object') {
    const members = value as Record<string, unknown>;
    for (const name of schema.required ?? []) if (members[name] === undefined) found[below(pointer, name)] = t.form.missing;
    for (const [name, member] of Object.entries(members)) {
      const inner = schema.properties?.[name];
      if (inner && member !== undefined) Object.assign(found, check(inner, member, expressions, below(pointer, name)));
      else if (member instanceof Unfinished) found[below(pointer, name)] = t.form.noJson;
    }
  }
  return found;
}

/** The findings of a refused request that lie at or below `prefix`, with pointers relative to it, and those that lie elsewhere. */
export function findingsAt(prefix: string, findings: readonly { pointer: string; message: string }[]): { inside: Problems; outside: string[] } {
  const inside: Problems = {};
  const outside: string[] = [];
  for (const { pointer, message } of findings) {
    if (pointer.startsWith(`${prefix}/`)) inside[pointer.slice(prefix.length)] ??= message;
    else outside.push(message);
  }
  return { inside, outside };
}
