import { expect, test } from 'vitest';
import { variablesAround } from '../src/editor/around';

const TEXT = `document: {dsl: '1.0.3', namespace: test, name: test, version: '1.0.0'}
do:
  - each:
      for: { each: pet, in: '\${ .pets }' }
      do:
        - attempt:
            try: [{ ask: { set: { z: 1 } } }]
            catch: { as: problem, do: [{ note: { set: { it: 1 } } }] }
  - hear:
      listen: { to: { any: [] } }
      foreach: { do: [{ take: { set: { x: 1 } } }] }
`;

test.each([
  ['/do/0/each', []],
  ['/do/0/each/do/0/attempt', ['pet', 'index']],
  ['/do/0/each/do/0/attempt/try/0/ask', ['pet', 'index']],
  ['/do/0/each/do/0/attempt/catch/do/0/note', ['pet', 'index', 'problem']],
  ['/do/1/hear/foreach/do/0/take', ['item', 'index']],
  ['/document/metadata/finally/0/close', ['error', 'status']],
  ['/do/9/nothing', []],
])('what is bound around %s', (reference, names) => {
  expect(variablesAround(TEXT, reference)).toEqual(names);
});
