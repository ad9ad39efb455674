import { autocompletion, closeBrackets, closeBracketsKeymap, type CompletionContext, type CompletionResult, completionKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { yaml } from '@codemirror/lang-yaml';
import { bracketMatching, foldGutter, foldKeymap, HighlightStyle, indentOnInput, syntaxHighlighting } from '@codemirror/language';
import { type Diagnostic, lintGutter, lintKeymap, setDiagnostics } from '@codemirror/lint';
import { EditorState, Prec, StateEffect } from '@codemirror/state';
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { useEffect, useImperativeHandle, useRef, type Ref } from 'react';
import type { Schemas } from '@/api/client';
import { nonce } from '@/app/nonce';
import { t } from '@/i18n/en';
import { complete, type Vocabulary } from './completion';
import { hoverHelp } from './hover';
import type { Edit } from './text-edit';

export type Finding = Schemas['DefinitionFinding'];
export type EditorHandle = {
  text: () => string;
  /** One step of the editor's own history. */
  apply: (edit: Edit) => void;
  /** All of them as one step; none of them overlap. */
  applyAll: (edits: readonly Edit[]) => void;
  goTo: (from: number, to?: number) => void;
  /** In which the cursor stands. */
  line: () => number;
  goToLine: (line: number, column: number) => void;
  /** Puts a text in place of the word that stands there. */
  replaceAt: (line: number, column: number, text: string) => void;
};

export const look = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: 'var(--accent)' },
  { tag: tags.comment, color: 'var(--fg-muted)', fontStyle: 'italic' },
  { tag: [tags.string, tags.special(tags.string)], color: 'var(--st-ok)' },
  { tag: [tags.number, tags.bool, tags.null, tags.keyword], color: 'var(--st-retry)' },
  { tag: [tags.separator, tags.punctuation, tags.squareBracket, tags.brace], color: 'var(--fg-muted)' },
]);

export const theme = EditorView.theme({
  '&': { height: '100%', fontSize: '13px', backgroundColor: 'var(--bg)', color: 'var(--fg)' },
  '&.cm-focused': { outline: '2px solid var(--focus)', outlineOffset: '-2px' },
  '.cm-scroller': { fontFamily: 'var(--font-mono)', lineHeight: '20px' },
  '.cm-gutters': { backgroundColor: 'var(--bg-subtle)', color: 'var(--fg-muted)', border: 'none' },
  '.cm-activeLine': { backgroundColor: 'color-mix(in srgb, var(--accent) 6%, transparent)' },
  '.cm-cursor': { borderLeftColor: 'var(--fg)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    background: 'color-mix(in srgb, var(--accent) 25%, transparent)',
  },
  '.cm-tooltip': { backgroundColor: 'var(--bg-raised)', border: '1px solid var(--border)', borderRadius: '6px', color: 'var(--fg)' },
  '.cm-tooltip-autocomplete ul li[aria-selected]': { backgroundColor: 'var(--accent)', color: 'var(--on-accent)' },
  '.cm-help': { maxWidth: '420px', padding: '6px 10px', fontFamily: 'var(--font-sans)', fontSize: '13px', lineHeight: '18px' },
  '.cm-help strong': { fontFamily: 'var(--font-mono)' },
  '.cm-panels': { backgroundColor: 'var(--bg-subtle)', color: 'var(--fg)' },
  '.cm-diagnosticAction': { backgroundColor: 'var(--accent)', color: 'var(--on-accent)' },
});

const OUTER_KEYS = ['F2', 'Mod-Enter', 'Mod-Shift-Enter', 'Alt-ArrowUp', 'Alt-ArrowDown', 'Mod-.'];

/** Searching comes when it is asked for the first time; from then on its own keys answer. */
async function search(editor: EditorView): Promise<void> {
  const { highlightSelectionMatches, openSearchPanel, searchKeymap } = await import('@codemirror/search');
  if (!searching.has(editor)) {
    searching.add(editor);
    editor.dispatch({ effects: StateEffect.appendConfig.of([highlightSelectionMatches(), Prec.high(keymap.of(searchKeymap))]) });
  }
  openSearchPanel(editor);
}
const searching = new WeakSet<EditorView>();

function wordAt(state: EditorState, lineNumber: number, column: number): { from: number; to: number; word: string } {
  const line = state.doc.line(Math.min(Math.max(1, lineNumber), state.doc.lines));
  const from = Math.min(line.from + Math.max(0, column - 1), line.to);
  const word = /^[^\s,}\]]+/.exec(state.sliceDoc(from, line.to))?.[0] ?? '';
  return { from, to: Math.min(line.to, from + Math.max(1, word.length)), word };
}

function diagnosticOf(state: EditorState, finding: Finding): Diagnostic {
  const { from, to, word } = wordAt(state, finding.line, finding.column);
  const { suggestion } = finding;
  return {
    from,
    to: Math.max(from, to),
    severity: finding.severity,
    message: finding.message,
    source: finding.rule,
    ...(suggestion && word
      ? { actions: [{ name: t.editor.replaceWith(suggestion), apply: (view: EditorView, at: number, end: number) => view.dispatch({ changes: { from: at, to: end, insert: suggestion } }) }] }
      : {}),
  };
}

const NONE: readonly Finding[] = [];

export function CodeEditor({
  initial,
  label,
  findings = NONE,
  vocabulary,
  readOnly = false,
  onChange,
  onCursor,
  onSave,
  keys,
  handle,
}: {
  initial: string;
  label: string;
  findings?: readonly Finding[];
  vocabulary?: Vocabulary;
  readOnly?: boolean;
  onChange?: (text: string) => void;
  onCursor?: (offset: number) => void;
  onSave?: () => void;
  /** Keys of the editor around it; false: the key goes on to what it usually does. */
  keys?: Record<string, () => boolean>;
  handle?: Ref<EditorHandle>;
}) {
  const place = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(null);
  const latest = useRef({ onChange, onCursor, onSave, vocabulary, keys });
  useEffect(() => {
    latest.current = { onChange, onCursor, onSave, vocabulary, keys };
  });
  const first = useRef({ initial, label, readOnly });
  useEffect(() => {
    const start = first.current;
    const source = (context: CompletionContext): CompletionResult | null => (latest.current.vocabulary ? complete(context, latest.current.vocabulary) : null);
    const made = new EditorView({
      parent: place.current as HTMLDivElement,
      state: EditorState.create({
        doc: start.initial,
        extensions: [
          ...(nonce ? [EditorView.cspNonce.of(nonce)] : []),
          EditorView.contentAttributes.of({ 'aria-label': start.label, tabindex: '0' }),
          EditorState.readOnly.of(start.readOnly),
          lineNumbers(),
          foldGutter(),
          lintGutter(),
          history(),
          drawSelection(),
          indentOnInput(),
          bracketMatching(),
          closeBrackets(),
          highlightActiveLine(),
          yaml(),
          syntaxHighlighting(look),
          autocompletion({ override: [source] }),
          hoverHelp(() => latest.current.vocabulary),
          keymap.of([
            ...OUTER_KEYS.map((key) => ({ key, run: () => latest.current.keys?.[key]?.() ?? false })),
            { key: 'Mod-f', run: (editor) => (void search(editor), true) },
            { key: 'Mod-s', preventDefault: true, run: () => (latest.current.onSave?.(), true) },
            ...closeBracketsKeymap,
            ...defaultKeymap,
            ...historyKeymap,
            ...foldKeymap,
            ...completionKeymap,
            ...lintKeymap,
          ]),
          theme,
          EditorView.updateListener.of((update) => {
            if (update.docChanged) latest.current.onChange?.(update.state.doc.toString());
            if (update.selectionSet && update.view.hasFocus) latest.current.onCursor?.(update.state.selection.main.head);
          }),
        ],
      }),
    });
    view.current = made;
    return () => made.destroy();
  }, []);
  useEffect(() => {
    const editor = view.current;
    if (!editor) return;
    editor.dispatch(setDiagnostics(editor.state, findings.map((finding) => diagnosticOf(editor.state, finding))));
  }, [findings]);
  useImperativeHandle(
    handle,
    () => ({
      text: () => view.current?.state.doc.toString() ?? '',
      line: () => view.current?.state.doc.lineAt(view.current.state.selection.main.head).number ?? 0,
      apply: (edit) => view.current?.dispatch({ changes: edit, userEvent: 'input.graph', scrollIntoView: true, selection: { anchor: edit.from + Math.max(0, edit.insert.length - 1) } }),
      applyAll: (edits) => view.current?.dispatch({ changes: [...edits], userEvent: 'input.graph' }),
      goTo: (from, to = from) => view.current?.dispatch({ selection: { anchor: from, head: to }, effects: EditorView.scrollIntoView(from, { y: 'center' }) }),
      goToLine: (line, column) => {
        const editor = view.current;
        if (!editor) return;
        const at = editor.state.doc.line(Math.min(Math.max(1, line), editor.state.doc.lines));
        const anchor = Math.min(at.to, at.from + Math.max(0, column - 1));
        editor.dispatch({ selection: { anchor }, effects: EditorView.scrollIntoView(anchor, { y: 'center' }) });
        editor.focus();
      },
      replaceAt: (line, column, text) => {
        const editor = view.current;
        if (!editor) return;
        const { from, to } = wordAt(editor.state, line, column);
        editor.dispatch({ changes: { from, to, insert: text }, selection: { anchor: from + text.length }, scrollIntoView: true });
        editor.focus();
      },
    }),
    [],
  );
  return <div ref={place} className="h-full min-h-0 overflow-hidden" />;
}
