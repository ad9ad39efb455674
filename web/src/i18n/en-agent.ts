// What agents do.
export const agent = {
  agent: {
    of: (name: string) => `Agent ${name}`,
    sum: (turns: string, calls: string, tokens: string) => `${turns} turns, ${calls} tool calls, ${tokens} tokens`,
    cost: (amount: string) => `cost ${amount}`,
    unknownCost: 'cost unknown',
    tokens: (input: string, output: string) => `${input} tokens in, ${output} out`,
    tokenBudget: 'Tokens',
    costBudget: 'Cost',
    ofBudget: (used: string, limit: string) => `${used} of ${limit}`,
    turn: (number: number) => `Turn ${number}`,
    roles: { system: 'Instructions', user: 'Asked', assistant: 'Said' },
    approval: 'asks for approval',
    arguments: (name: string) => `Arguments of ${name}`,
    answer: (name: string) => `Answer of ${name}`,
    record: 'Record of this call',
  },
} as const;
