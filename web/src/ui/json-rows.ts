// The lines of a JSON value that are open: only they are made, so that the size of the value does not matter.

export type JsonRow = {
  /** Where it stands, as a JSON pointer. */
  path: string;
  /** Null of the whole value, and of an item that a list names by its place. */
  name: string | null;
  depth: number;
  value: unknown;
  /** Of an object or list with something in it. */
  size?: number;
  open?: boolean;
  /** How many of its members are not shown; the line stands for them. */
  more?: number;
  /** They are not here yet. */
  absent?: boolean;
};

/** A part of a value that is not here: it is asked for when one opens it. */
export class Absent {
  constructor(
    readonly kind: 'object' | 'array' | 'string',
    readonly size: number,
    readonly bytes: number,
  ) {}
}
/** What came of an absent part: the first members of an object or list, or the text. */
export type Part = { members: [string, unknown][] } | { text: string };
export type Parts = ReadonlyMap<string, Part>;

/** Members of one object or list that are shown at once, and come with each "show more". */
export const MEMBERS = 1000;
const OPEN_DEPTH = 2;
/** A value with more in it begins closed. */
const SMALL = 200;

const escape = (name: string) => name.replaceAll('~', '~0').replaceAll('/', '~1');
const sizeOf = (value: object) => (value instanceof Absent ? value.size : Array.isArray(value) ? value.length : Object.keys(value).length);
const isNode = (value: unknown): value is object => value !== null && typeof value === 'object' && sizeOf(value) > 0;
export const isList = (value: unknown): boolean => (value instanceof Absent ? value.kind === 'array' : Array.isArray(value));

/** What one has opened and closed, and how much one has asked for beyond the first members. */
export type Opened = { toggled: ReadonlySet<string>; shown: ReadonlyMap<string, number> };
export const untouched: Opened = { toggled: new Set(), shown: new Map() };

/** Objects and lists of up to two levels are open at first, where they are small; the outermost always is. */
export function isOpen(path: string, depth: number, size: number, { toggled }: Opened): boolean {
  const first = depth === 0 || (depth < OPEN_DEPTH && size <= SMALL);
  return toggled.has(path) ? !first : first;
}

export function rowsOf(value: unknown, opened: Opened, parts: Parts = new Map()): JsonRow[] {
  const rows: JsonRow[] = [];
  const put = (given: unknown, path: string, name: string | null, depth: number) => {
    const part = given instanceof Absent ? parts.get(path) : undefined;
    const item = part && 'text' in part ? part.text : given;
    if (item instanceof Absent && item.kind === 'string') {
      rows.push({ path, name, depth, value: item });
      return;
    }
    if (!isNode(item)) {
      rows.push({ path, name, depth, value: item });
      return;
    }
    const size = sizeOf(item);
    const open = isOpen(path, depth, size, opened);
    rows.push({ path, name, depth, value: item, size, open });
    if (!open) return;
    if (item instanceof Absent) {
      const members = part && 'members' in part ? part.members : [];
      for (const [key, member] of members) put(member, `${path}/${escape(key)}`, key, depth + 1);
      if (size > members.length) rows.push({ path: `${path}/`, name: path, depth: depth + 1, value: null, more: size - members.length, absent: true });
      return;
    }
    const most = opened.shown.get(path) ?? MEMBERS;
    if (Array.isArray(item)) for (let at = 0; at < Math.min(size, most); at += 1) put(item[at], `${path}/${at}`, String(at), depth + 1);
    else {
      let at = 0;
      for (const key in item) {
        if (at >= most) break;
        at += 1;
        put((item as Record<string, unknown>)[key], `${path}/${escape(key)}`, key, depth + 1);
      }
    }
    if (size > most) rows.push({ path: `${path}/`, name: path, depth: depth + 1, value: null, more: size - most });
  };
  put(value, '', null, 0);
  return rows;
}

/** How many characters the value takes as JSON without spaces, about: names and values, without making the text. */
export function weightOf(value: unknown): number {
  let weight = 0;
  const open: unknown[] = [value];
  while (open.length > 0) {
    const item = open.pop();
    if (typeof item === 'string') weight += item.length + 2;
    else if (item === null || typeof item !== 'object') weight += String(item).length;
    else if (Array.isArray(item)) {
      weight += item.length + 1;
      for (const one of item) open.push(one);
    } else {
      weight += 1;
      for (const key in item) {
        weight += key.length + 4;
        open.push((item as Record<string, unknown>)[key]);
      }
    }
  }
  return weight;
}
