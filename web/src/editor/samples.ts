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
  {
    id: 'scripts',
    name: 'Scripts in Python and JavaScript',
    about: 'One makes numbers, the other sums them up, in a sandbox without network; an expression puts the answer into words.',
    input: { count: 10 },
    text: `# Run it with {"count": 10}.
document:
  dsl: '1.0.3'
  namespace: examples
  name: scripts
  version: '1.0.0'
do:
  - squares:
      run:
        script:
          language: python
          code: |
            import json, sys
            print(json.dumps([n * n for n in range(1, int(sys.argv[1]) + 1)]))
          arguments: ['\${ .count // 5 | tostring }']
      output: { as: fromjson }
  - statistics:
      run:
        script:
          language: js
          code: |
            let text = '';
            process.stdin.on('data', (part) => (text += part));
            process.stdin.on('end', () => {
              const numbers = JSON.parse(text);
              const sum = numbers.reduce((a, b) => a + b, 0);
              console.log(JSON.stringify({ count: numbers.length, sum }));
            });
          stdin: \${ tojson }
      output: { as: fromjson }
  - answer:
      set:
        text: '\${ "\\(.count) squares make \\(.sum)" }'
`,
  },
  {
    id: 'approval',
    name: 'Ask somebody first',
    about: 'Small payments go through by rule, larger ones wait in the inbox, for days if need be, until somebody decides.',
    input: { amount: 900 },
    text: `# Run it with {"amount": 900}, then decide under Approvals.
document:
  dsl: '1.0.3'
  namespace: examples
  name: ask-first
  version: '1.0.0'
do:
  - small:
      if: .amount < 100
      set: { approved: true, decision: rule }
      then: end
  - decide:
      call: approval
      with:
        title: Pay \${ .amount } EUR?
        data: { amount: '\${ .amount }' }
        deadline: { days: 3 }
        on_deadline: reject
        form:
          type: object
          properties:
            account: { type: string, title: Account to pay from }
          required: [account]
  - result:
      set:
        approved: \${ .approved }
        account: \${ .data.account }
        amount: \${ $workflow.input.amount }
`,
  },
  {
    id: 'api',
    name: 'Watch a web address',
    about: 'Asks every hour, tries again when the other side is busy, and keeps what it found.',
    input: { url: 'https://example.org/' },
    text: `# Once it is saved it runs every hour by itself; run it now with {"url": "https://example.org/"}.
document:
  dsl: '1.0.3'
  namespace: examples
  name: watch-address
  version: '1.0.0'
schedule:
  every: { hours: 1 }
do:
  - ask:
      try:
        - fetch:
            call: http
            with:
              method: get
              endpoint: '\${ .url // "https://example.org/" }'
              output: response
      catch:
        retry:
          when: '\${ $error.status >= 500 }'
          delay: { seconds: 2 }
          backoff: { exponential: {} }
          limit:
            attempt: { count: 3 }
  - found:
      set:
        status: \${ .statusCode }
        size: '\${ .content | tostring | length }'
`,
  },
  {
    id: 'agent',
    name: 'An agent with a tool',
    about: 'A model sorts a request, looks things up by itself, and has to ask before it does what cannot be undone. Needs a language model.',
    input: { request: 'My order A-1 came broken. I want my money back.', model: 'openai/gpt-4o-mini' },
    text: `# Needs a key of a model's provider: an integration, or a variable such as OPENAI_API_KEY.
document:
  dsl: '1.0.3'
  namespace: examples
  name: support-agent
  version: '1.0.0'
do:
  - triage:
      call: agent
      with:
        model: \${ .model }
        instructions: You sort support requests. Look the order up first. Pay back what came broken.
        prompt: \${ .request }
        untrusted: true
        tools:
          - name: order
            description: Looks an order up.
            function: transform
            with: { expression: '{order: ., item: "A mug", paid: 12.5, currency: "EUR"}' }
            parameters:
              type: object
              required: [input]
              properties: { input: { type: string, description: Number of the order } }
          - name: refund
            description: Pays an order back.
            function: log
            parameters:
              type: object
              required: [message]
              properties: { message: { type: string, description: Order and reason } }
            approval: true
        max_turns: 8
        budget: { tokens: 30000 }
        output:
          schema:
            type: object
            required: [priority, reply]
            properties:
              priority: { enum: [low, high] }
              reply: { type: string }
      output: { as: .output }
`,
  },
] as const;
