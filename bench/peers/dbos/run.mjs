// Durable workflows in DBOS Transact on PostgreSQL: `run.mjs WORKFLOWS CONCURRENCY STEPS DATABASE-URL`.
// Callers stand in the same process and call a function: no HTTP, no authorization and no audit trail is paid for here.
import { DBOS } from '@dbos-inc/dbos-sdk';
import { measure } from './callers.mjs';

const [workflows, concurrency, steps] = process.argv.slice(2, 5).map(Number);

const run = DBOS.registerWorkflow(
  async (at) => {
    let sum = at;
    for (let step = 0; step < steps; step += 1) sum = await DBOS.runStep(async () => sum + 1, { name: `step-${step}` });
    return sum;
  },
  { name: 'sum' },
);

DBOS.setConfig({
  name: 'peers',
  systemDatabaseUrl: process.argv[5],
  systemDatabasePoolSize: Math.max(10, Math.min(concurrency, 30)),
  runAdminServer: false,
  logLevel: 'error',
});
await DBOS.launch();
try {
  await measure(run, workflows, concurrency, steps);
} finally {
  await DBOS.shutdown();
}
