// What stands under the pointer, in words: a keyword of the language, a function behind `call:`.
import { hoverTooltip, type EditorView, type Tooltip } from '@codemirror/view';
import { t } from '@/i18n/en';
import { kindInWords, type Schema } from '@/ui/schema';
import { keywordHelp, type Vocabulary } from './completion';

const MOST = 8;

export type Help = { title: string; text: string; lines: string[] };

function memberLines(parameters: Schema): string[] {
  const required = parameters.required ?? [];
  const names = Object.keys(parameters.properties ?? {}).sort((a, b) => Number(required.includes(b)) - Number(required.includes(a)));
  return names.slice(0, MOST).map((name) => `${name}${required.includes(name) ? ` (${t.form.required})` : ''}: ${parameters.properties?.[name]?.description ?? kindInWords(parameters.properties?.[name] ?? {})}`);
}

/** Of a line and a place in it. */
export function helpAt(line: string, column: number, vocabulary: Vocabulary): (Help & { from: number; to: number }) | null {
  const called = /(?:^|[\s{,-])(?:call|function|type):\s*['"]?([\w.-]+)/d.exec(line);
  const place = called?.indices?.[1];
  if (called && place && column >= place[0] && column <= place[1]) {
    const item = vocabulary.functions.find((one) => one.name === called[1]);
    if (item) return { title: item.name, text: item.description, lines: memberLines(item.parameters), from: place[0], to: place[1] };
  }
  for (const key of line.matchAll(/([A-Za-z]\w*)(?=\s*:(?:\s|$))/g)) {
    const help = keywordHelp(key[0]);
    if (help && column >= key.index && column <= key.index + key[0].length) return { title: key[0], text: help, lines: [], from: key.index, to: key.index + key[0].length };
  }
  return null;
}

function element({ title, text, lines }: Help): HTMLElement {
  const box = document.createElement('div');
  box.className = 'cm-help';
  const put = (tag: string, content: string) => {
    const made = document.createElement(tag);
    made.textContent = content;
    box.append(made);
  };
  put('strong', title);
  put('p', text);
  for (const line of lines) put('p', line);
  return box;
}

export function hoverHelp(vocabulary: () => Vocabulary | undefined) {
  return hoverTooltip((view: EditorView, position: number): Tooltip | null => {
    const known = vocabulary();
    const line = view.state.doc.lineAt(position);
    const help = known && helpAt(line.text, position - line.from, known);
    return help ? { pos: line.from + help.from, end: line.from + help.to, above: true, create: () => ({ dom: element(help) }) } : null;
  });
}
