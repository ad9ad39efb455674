// Runs durable workflows in DBOS Transact on PostgreSQL, and prints what came of it as JSON: `dbos.mjs DATABASE-URL WORKFLOWS CONCURRENCY STEPS`.
// Callers stand in the same process and call a function: no HTTP, no authorization and no audit trail is paid for here.
import { DBOS } from '@dbos-inc/dbos-sdk';

const [url, ...numbers] = process.argv.slice(2);
const [workflows, concurrency, steps] = numbers.map(Number);

const run = DBOS.registerWorkflow(
  async (at) => {
    let sum = at;
    for (let step = 0; step < steps; step += 1) sum = await DBOS.runStep(async () => sum + 1, { name: `step-${step}` });
    return sum;
  },
  { name: 'sum' },
);

/** Keeps `concurrency` of them going until `count` are through; gives the milliseconds of each. */
async function runAll(count) {
  const times = [];
  let next = 0;
  async function caller() {
    while (next < count) {
      const at = next++;
      const began = performance.now();
      const sum = await run(at);
      times.push(performance.now() - began);
      if (sum !== at + steps) throw new Error(`workflow ${at} gave ${sum}`);
    }
  }
  await Promise.all(Array.from({ length: concurrency }, caller));
  return times.sort((one, other) => one - other);
}

DBOS.setConfig({ name: 'peers', systemDatabaseUrl: url, systemDatabasePoolSize: Math.max(10, Math.min(concurrency, 30)), runAdminServer: false, logLevel: 'error' });
await DBOS.launch();
try {
  await runAll(Math.ceil(workflows / 10));
  const began = performance.now();
  const times = await runAll(workflows);
  const seconds = (performance.now() - began) / 1000;
  const at = (part) => times[Math.min(times.length - 1, Math.floor(times.length * part))];
  process.stdout.write(`${JSON.stringify({ per_second: workflows / seconds, p50_ms: at(0.5), p99_ms: at(0.99) })}\n`);
} finally {
  await DBOS.shutdown();
}
