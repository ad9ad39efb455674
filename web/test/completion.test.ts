import { CompletionContext } from '@codemirror/autocomplete';
import { EditorState } from '@codemirror/state';
import { describe, expect, it } from 'vitest';
import { complete, type Vocabulary } from '@/editor/completion';

const VOCABULARY: Vocabulary = {
  functions: [{ name: 'http', description: 'A request', parameters: { type: 'object', properties: { method: { type: 'string', description: 'The verb' }, endpoint: { type: 'string' } } } }],
  tasks: ['greet'],
};

/** What is offered where the text ends, or at `|`. */
function offered(text: string, explicit = false): string[] | null {
  const at = text.includes('|') ? text.indexOf('|') : text.length;
  const state = EditorState.create({ doc: text.replace('|', '') });
  return complete(new CompletionContext(state, at, explicit), VOCABULARY)?.options.map(({ label }) => label) ?? null;
}

describe('completion', () => {
  it('offers functions behind call, and nothing behind a whole name, so that Enter ends the line', () => {
    expect(offered('do:\n  - a:\n      call: ht')).toEqual(['http']);
    expect(offered('do:\n  - a:\n      call: http')).toBeNull();
    expect(offered('do:\n  - a:\n      call: http', true)).toEqual(['http']);
  });

  it('offers what the function takes below with', () => {
    expect(offered('do:\n  - a:\n      call: http\n      with:\n        me')).toEqual(['method', 'endpoint']);
    expect(offered('do:\n  - a:\n      call: http\n      # Arguments\n      with:\n        method: get\n\n        |\n  - b:', true)).toEqual(['method', 'endpoint']);
  });

  it('offers words of the language elsewhere', () => {
    for (const text of ['do:\n  - a:\n      ca', 'do:\n  - a:\n      call: http\n      wi', 'do:\n  - a:\n      call: http\n      with:\n        headers:\n          ac', 'do:\n  - a:\n      call: unknown\n      with:\n        me']) {
      expect(offered(text)).toContain('call');
    }
  });
});
