// Edits of a workflow's text that change what they have to and nothing else: comments, order, quotes and blank lines stay. Each is one
// replacement, so the editor's undo takes it back like typing. Null where an edit cannot be made this way (lists in flow style, for one).
import { type Document, isMap, isScalar, isSeq, parseDocument, type Scalar, stringify, type YAMLMap, type YAMLSeq } from 'yaml';
import { type Path, placeOf } from './reference';

export type Edit = { from: number; to: number; insert: string };
export type { Path } from './reference';
type Ranged = { range?: [number, number, number] | null };

export const parse = (text: string): Document => parseDocument(text, { keepSourceTokens: true });
export const apply = (text: string, edit: Edit): string => text.slice(0, edit.from) + edit.insert + text.slice(edit.to);

const lineStart = (text: string, at: number) => text.lastIndexOf('\n', at - 1) + 1;
function lineEnd(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end < 0 ? text.length : end + 1;
}
const rangeOf = (node: unknown): [number, number] => {
  const range = (node as Ranged).range;
  return range ? [range[0], range[1]] : [0, 0];
};
const nodeAt = (document: Document, path: Path): unknown => (path.length > 0 ? document.getIn(path, true) : document.contents);

/** Where the dash of each item of a block list stands. */
function dashes(text: string, list: YAMLSeq): number[] {
  return list.items.map((item) => {
    let at = rangeOf(item)[0] - 1;
    while (at >= 0 && text[at] !== '-') at -= 1;
    return at;
  });
}

/** The end of a node's last line, with a comment that stands behind it. */
function contentEnd(text: string, node: unknown): number {
  const [from, to] = rangeOf(node);
  let end = to;
  while (end > from && /\s/.test(text[end - 1] ?? '')) end -= 1;
  return lineEnd(text, Math.max(end - 1, from));
}

/** The lines of an item, with the comments directly above it. */
function itemLines(text: string, list: YAMLSeq, index: number): [number, number] {
  const marks = dashes(text, list);
  let from = lineStart(text, marks[index] as number);
  const floor = index > 0 ? contentEnd(text, list.items[index - 1]) : from;
  while (from > floor) {
    const above = lineStart(text, from - 1);
    if (above < floor || !/^\s*#/.test(text.slice(above, from))) break;
    from = above;
  }
  return [from, contentEnd(text, list.items[index])];
}

function blockList(text: string, path: Path): YAMLSeq | null {
  const list = nodeAt(parse(text), path);
  return isSeq(list) && !list.flow && list.items.length > 0 ? list : null;
}

const onNewLine = (text: string, at: number, insert: string) => (at > 0 && text[at - 1] !== '\n' ? `\n${insert}` : insert);

/** Puts a value into a block list, before the item that has this index now, or at the end. */
export function insertItem(text: string, path: Path, index: number, value: unknown): Edit | null {
  const list = blockList(text, path);
  if (!list) return null;
  const mark = dashes(text, list)[0] as number;
  const indent = ' '.repeat(mark - lineStart(text, mark));
  const lines = stringify(value, { indent: 2, lineWidth: 0 }).trimEnd().split('\n');
  const item = lines.map((line, at) => (at === 0 ? `${indent}- ${line}` : line === '' ? '' : `${indent}  ${line}`)).join('\n');
  const at = index < list.items.length ? itemLines(text, list, index)[0] : contentEnd(text, list.items.at(-1));
  return { from: at, to: at, insert: onNewLine(text, at, `${item}\n`) };
}

/** A list keeps its last item: without it the document would mean something else. */
export function deleteItem(text: string, path: Path, index: number): Edit | null {
  const list = blockList(text, path);
  if (!list || list.items.length < 2 || index >= list.items.length) return null;
  const [from, to] = itemLines(text, list, index);
  return { from, to, insert: '' };
}

export function moveItem(text: string, path: Path, from: number, to: number): Edit | null {
  const list = blockList(text, path);
  if (!list || from === to || Math.max(from, to) >= list.items.length || Math.min(from, to) < 0) return null;
  const [low, high] = [Math.min(from, to), Math.max(from, to)];
  const spans = list.items.map((_item, at) => itemLines(text, list, at));
  const items: string[] = [];
  const gaps: string[] = [];
  for (let at = low; at <= high; at += 1) {
    const [start, end] = spans[at] as [number, number];
    const lines = text.slice(start, end);
    items.push(lines.endsWith('\n') ? lines : `${lines}\n`);
    gaps.push(at < high ? text.slice(end, spans[at + 1]?.[0]) : '');
  }
  const [moved] = items.splice(from - low, 1);
  items.splice(to - low, 0, moved as string);
  return { from: spans[low]?.[0] ?? 0, to: spans[high]?.[1] ?? 0, insert: items.map((item, at) => item + gaps[at]).join('') };
}

export function renameKey(text: string, path: Path, old: string, now: string): Edit | null {
  const map = nodeAt(parse(text), path);
  if (!isMap(map)) return null;
  const pair = (map as YAMLMap).items.find((item) => isScalar(item.key) && item.key.value === old);
  if (!pair) return null;
  const [from, to] = rangeOf(pair.key);
  return { from, to, insert: plain(now) };
}

const plain = (name: string) => (/^[A-Za-z_][\w-]*$/.test(name) ? name : JSON.stringify(name));
const scalarEdit = (node: unknown, old: string, now: string): Edit[] => {
  if (!isScalar(node) || node.value !== old) return [];
  const [from, to] = rangeOf(node);
  return [{ from, to, insert: plain(now) }];
};
const valueIn = (map: unknown, name: string): unknown => (isMap(map) ? map.get(name, true) : undefined);

interface NamedTask {
  items: YAMLSeq;
  name: Scalar<string>;
  byId: boolean;
}

/** Lists of the language name their tasks by keys, those of workflows in a list by `id`. */
function namedTask(text: string, list: Path, index: number): NamedTask | null {
  const items = nodeAt(parse(text), list);
  const item = isSeq(items) ? items.items[index] : undefined;
  if (!isSeq(items) || !isMap(item)) return null;
  const byId = isScalar(item.get('id', true));
  const name = nameNode(item, byId);
  return isScalar(name) && typeof name.value === 'string' ? { items, name: name as Scalar<string>, byId } : null;
}

const nameNode = (item: unknown, byId: boolean): unknown => (byId ? valueIn(item, 'id') : isMap(item) ? item.items[0]?.key : undefined);

/** What the task at this place is called now. */
export function nameOfTask(text: string, list: Path, index: number): string | null {
  return namedTask(text, list, index)?.name.value ?? null;
}

/**
 * The task's new name, and the same wherever its list leads to it: `then` of tasks, of cases and of `catch`; `depends_on` in lists of tasks.
 * Expressions are left alone. Null where there is no such task, or another one in the list has that name.
 */
export function renameTask(text: string, list: Path, index: number, now: string): Edit[] | null {
  const task = namedTask(text, list, index);
  if (!task) return null;
  const { items, name, byId } = task;
  const old = name.value;
  if (items.items.some((one) => (nameNode(one, byId) as { value?: unknown } | undefined)?.value === now)) return null;
  const edits = scalarEdit(name, old, now);
  for (const one of items.items) {
    if (byId) {
      const needs = valueIn(one, 'depends_on');
      for (const need of isSeq(needs) ? needs.items : [needs]) edits.push(...scalarEdit(need, old, now));
      continue;
    }
    const body = isMap(one) ? one.items[0]?.value : undefined;
    edits.push(...scalarEdit(valueIn(body, 'then'), old, now), ...scalarEdit(valueIn(valueIn(body, 'catch'), 'then'), old, now));
    const cases = valueIn(body, 'switch');
    for (const each of isSeq(cases) ? cases.items : []) edits.push(...scalarEdit(valueIn(isMap(each) ? each.items[0]?.value : undefined, 'then'), old, now));
  }
  return edits.sort((a, b) => a.from - b.from);
}

/** Where a task stands in the text: from its item's first character to its end. */
export function rangeOfTask(text: string, reference: string): [number, number] | null {
  const place = placeOf(reference);
  if (!place) return null;
  const item = parse(text).getIn([...place.list, place.index], true);
  return item ? rangeOf(item) : null;
}

/** Of these tasks, the innermost that the place in the text belongs to. */
export function taskAt(text: string, offset: number, references: readonly string[]): string | null {
  const document = parse(text);
  let best: { reference: string; size: number } | null = null;
  for (const reference of references) {
    const place = placeOf(reference);
    const item = place && document.getIn([...place.list, place.index], true);
    if (!item) continue;
    const [from, to] = rangeOf(item);
    if (offset >= from - 2 && offset <= to && (!best || to - from < best.size)) best = { reference, size: to - from };
  }
  return best?.reference ?? null;
}
