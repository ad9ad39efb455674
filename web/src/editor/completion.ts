// What may stand at the cursor: functions behind `call:`, tasks behind `then:`, else the words of the language.
import type { CompletionContext, CompletionResult } from '@codemirror/autocomplete';
import type { Schema } from '@/ui/schema';

export type Vocabulary = { functions: { name: string; description: string; parameters: Schema }[]; tasks: string[] };

const TASK_KEYS: [string, string][] = [
  ['call', 'calls a function or a service'],
  ['do', 'tasks one after the other'],
  ['set', 'makes the output out of expressions'],
  ['for', 'the same tasks for each item'],
  ['fork', 'branches side by side'],
  ['switch', 'goes on where a condition holds'],
  ['try', 'tasks whose errors are caught'],
  ['catch', 'what happens after an error'],
  ['raise', 'ends with an error'],
  ['wait', 'waits for a time'],
  ['listen', 'waits for events'],
  ['emit', 'publishes an event'],
  ['run', 'runs a script, a command or a workflow'],
  ['with', 'arguments of the call'],
  ['then', 'where to go on'],
  ['if', 'only where this holds'],
  ['input', 'shapes what comes in'],
  ['output', 'shapes what goes out'],
  ['export', 'keeps something in the context'],
  ['timeout', 'how long it may take'],
  ['retry', 'how often and when again'],
  ['compensate', 'in `metadata` of a task: what undoes it when the run fails'],
  ['finally', 'in `metadata` of the document: tasks that run at every end'],
  ['schedule', 'when the workflow starts'],
  ['use', 'secrets, functions and errors by name'],
];

/** What a keyword of the language means. */
export function keywordHelp(word: string): string | undefined {
  return TASK_KEYS.find(([name]) => name === word)?.[1];
}

export function complete(context: CompletionContext, vocabulary: Vocabulary): CompletionResult | null {
  const line = context.state.doc.lineAt(context.pos);
  const before = line.text.slice(0, context.pos - line.from);
  const value = /(?:^|[\s{,-])(call|function|then):\s*['"]?([\w.-]*)$/.exec(before);
  if (value) {
    const [, key = '', typed = ''] = value;
    const from = context.pos - typed.length;
    if (key === 'then') {
      const targets = ['continue', 'exit', 'end'].map((label) => ({ label, type: 'keyword' }));
      return { from, options: [...vocabulary.tasks.map((label) => ({ label, type: 'variable' })), ...targets] };
    }
    // Nothing to offer behind a whole name: Enter is the end of the line there.
    if (!context.explicit && vocabulary.functions.some(({ name }) => name === typed)) return null;
    return { from, options: vocabulary.functions.map(({ name, description }) => ({ label: name, detail: description, type: 'function' })) };
  }
  const key = /^[\s-]*(\w*)$/.exec(before);
  if (!key || (!context.explicit && !key[1])) return null;
  const from = context.pos - (key[1]?.length ?? 0);
  const called = vocabulary.functions.find(({ name }) => name === calledAbove(context, line.number, before.search(/[^\s]|$/)));
  if (called) {
    const options = Object.entries(called.parameters.properties ?? {}).map(([label, schema]) => ({ label, detail: typeof schema === 'object' ? (schema.description ?? '') : '', apply: `${label}: `, type: 'property' }));
    return { from, options, validFor: /^\w*$/ };
  }
  return {
    from,
    options: TASK_KEYS.map(([label, detail]) => ({ label, detail, apply: `${label}: `, type: 'property' })),
    validFor: /^\w*$/,
  };
}

/** The function whose arguments (`with:`) begin at this column above this line; the `call:` stands beside the `with:`. */
function calledAbove({ state: { doc } }: CompletionContext, number: number, column: number): string | undefined {
  let beside = -1;
  for (let at = number - 1; at > 0; at -= 1) {
    const text = doc.line(at).text;
    const indent = text.search(/\S/);
    if (indent < 0 || text[indent] === '#' || indent >= (beside < 0 ? column : beside + 1)) continue;
    if (beside < 0) {
      if (!/^\s*with:\s*$/.test(text)) return undefined;
      beside = indent;
      continue;
    }
    if (indent < beside) return undefined;
    const call = /^\s*call:\s*['"]?([\w.-]+)/.exec(text);
    if (call) return call[1];
  }
  return undefined;
}
