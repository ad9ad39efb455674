// Workflows to start from. Each is accepted by the server as it is (tested).
export const BLANK = `document:
  dsl: '1.0.3'
  namespace: default
  name: my-workflow
  version: '1.0.0'
do:
  - greet:
      set:
        greeting: \${ "Hello, " + (.name // "world") + "!" }
`;

export const SAMPLES = [
  {
    id: 'hello',
    name: 'Greet everybody',
    about: 'Goes through a list, waits a second, and puts the result together.',
    input: { people: ['Ada', 'Grace'] },
    text: `# Greets each person of the input. Run it with {"people": ["Ada", "Grace"]}.
document:
  dsl: '1.0.3'
  namespace: examples
  name: greet-everybody
  version: '1.0.0'
do:
  - greet:
      for:
        each: person
        in: \${ .people }
      do:
        - compose:
            set:
              greetings: '\${ (.greetings // []) + ["Hello, " + $person + "!"] }'
  - rest:
      wait: { seconds: 1 }
  - answer:
      set:
        text: '\${ .greetings // [] | join(" ") }'
`,
  },
  {
    id: 'fork',
    name: 'Work side by side',
    about: 'Two branches run at the same time; the workflow goes on when both are done.',
    input: {},
    text: `document:
  dsl: '1.0.3'
  namespace: examples
  name: side-by-side
  version: '1.0.0'
do:
  - gather:
      fork:
        branches:
          - fast:
              set: { prices: [3, 4, 5] }
          - slow:
              do:
                - think:
                    wait: { seconds: 2 }
                - found:
                    set: { stock: 7 }
  - total:
      set:
        sum: '\${ .[0].prices | add }'
        stock: '\${ .[1].stock }'
`,
  },
  {
    id: 'retry',
    name: 'Try again, then heal',
    about: 'A step that fails is tried again with growing pauses; at last its error is caught.',
    input: {},
    text: `document:
  dsl: '1.0.3'
  namespace: examples
  name: try-again
  version: '1.0.0'
do:
  - careful:
      try:
        - fragile:
            raise:
              error:
                type: https://example.org/errors/busy
                status: 503
                title: The other side is busy
      catch:
        errors:
          with: { status: 503 }
        as: problem
        retry:
          delay: { milliseconds: 200 }
          backoff: { exponential: {} }
          limit:
            attempt: { count: 3 }
        do:
          - fallback:
              set:
                answer: from the cache
                because: \${ $problem.title }
`,
  },
] as const;
