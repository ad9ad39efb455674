import { unifiedMergeView } from '@codemirror/merge';
import { yaml } from '@codemirror/lang-yaml';
import { syntaxHighlighting } from '@codemirror/language';
import { EditorState } from '@codemirror/state';
import { EditorView, lineNumbers } from '@codemirror/view';
import { useEffect, useRef } from 'react';
import { nonce } from '@/app/nonce';
import { look, theme } from './code-editor';

const marks = EditorView.theme({
  '.cm-changedLine': { backgroundColor: 'var(--bg-subtle)', borderLeft: '3px solid var(--fill-ok)' },
  '.cm-deletedChunk': { backgroundColor: 'var(--bg-subtle)', borderLeft: '3px solid var(--fill-fail)' },
  '.cm-changedText, .cm-deletedText': { background: 'none' },
});

/** A text as it would become, with what goes and what comes; nothing can be typed. */
export default function DraftDiff({ before, after, label }: { before: string; after: string; label: string }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const view = new EditorView({
      parent: place.current as HTMLDivElement,
      state: EditorState.create({
        doc: after,
        extensions: [
          ...(nonce ? [EditorView.cspNonce.of(nonce)] : []),
          EditorView.contentAttributes.of({ 'aria-label': label, tabindex: '0' }),
          EditorState.readOnly.of(true),
          EditorView.editable.of(false),
          lineNumbers(),
          yaml(),
          syntaxHighlighting(look),
          ...(before === '' ? [] : [unifiedMergeView({ original: before, mergeControls: false, highlightChanges: false, gutter: false, collapseUnchanged: { margin: 3, minSize: 8 } })]),
          theme,
          marks,
        ],
      }),
    });
    return () => view.destroy();
  }, [before, after, label]);
  return <div ref={place} className="panel max-h-[60dvh] overflow-auto" />;
}
