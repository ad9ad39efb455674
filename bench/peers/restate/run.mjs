// Durable workflows in Restate, a native server with a storage of its own: `run.mjs WORKFLOWS CONCURRENCY STEPS FOLDER`. The server calls a service, which
// this process is, for the steps; callers come over HTTP on kept connections, without authorization.
import { spawn } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import http from 'node:http';
import { createServer } from 'node:net';
import { createRequire } from 'node:module';
import { endpoint, service } from '@restatedev/restate-sdk';
import { createServer as createHttp2Server } from 'node:http2';
import { measure } from './callers.mjs';

const [workflows, concurrency, steps] = process.argv.slice(2, 5).map(Number);
const folder = process.argv[5];
const SERVER = createRequire(import.meta.url).resolve('@restatedev/restate-server-linux-x64/bin/restate-server');

const freePort = () =>
  new Promise((resolve) => {
    const taken = createServer().listen(0, '127.0.0.1', () => {
      const { port } = taken.address();
      taken.close(() => resolve(port));
    });
  });

const sums = service({
  name: 'Sums',
  handlers: {
    sum: async (context, at) => {
      let sum = at;
      for (let step = 0; step < steps; step += 1) {
        const before = sum;
        sum = await context.run(`step-${step}`, () => before + 1);
      }
      return sum;
    },
  },
});
const steps_at = await freePort();
const own = createHttp2Server(endpoint().bind(sums).setLogger(() => {}).http2Handler());
await new Promise((resolve) => own.listen(steps_at, '127.0.0.1', resolve));

const [ingress, admin, nodes] = [await freePort(), await freePort(), await freePort()];
const log = openSync(`${folder}/server.log`, 'w');
const server = spawn(SERVER, ['--base-dir', `${folder}/data`, '--node-name', 'peer', '--listen-mode', 'tcp'], {
  stdio: ['ignore', log, log],
  env: {
    PATH: '/usr/bin:/bin',
    RUST_LOG: 'error',
    RESTATE_DISABLE_TELEMETRY: 'true',
    RESTATE_ADVERTISED_HOST: '127.0.0.1',
    RESTATE_BIND_ADDRESS: `127.0.0.1:${nodes}`,
    RESTATE_INGRESS__BIND_ADDRESS: `127.0.0.1:${ingress}`,
    RESTATE_ADMIN__BIND_ADDRESS: `127.0.0.1:${admin}`,
  },
});
const ended = new Promise((resolve) => server.once('exit', resolve));

const agent = new http.Agent({ keepAlive: true, maxSockets: concurrency });
function post(port, path, body) {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const request = http.request({ agent, host: '127.0.0.1', port, path, method: 'POST', headers }, (reply) => {
      const parts = [];
      reply.on('data', (part) => parts.push(part));
      reply.on('end', () => {
        const text = Buffer.concat(parts).toString();
        if (reply.statusCode < 300) resolve(text);
        else reject(new Error(`${path}: ${reply.statusCode} ${text}`));
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** The server is asked to take the service until it does, for as long as it lives and a minute at most. */
async function introduce() {
  for (const until = Date.now() + 60_000; ; ) {
    try {
      return await post(admin, '/deployments', JSON.stringify({ uri: `http://127.0.0.1:${steps_at}` }));
    } catch (problem) {
      if (server.exitCode !== null || Date.now() > until) throw problem;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

let failed = true;
try {
  await introduce();
  await measure(async (at) => Number(await post(ingress, '/Sums/sum', String(at))), workflows, concurrency, steps);
  failed = false;
} catch (problem) {
  process.stderr.write(`${problem.stack}\n${readFileSync(`${folder}/server.log`, 'utf8').slice(-2000)}\n`);
} finally {
  server.kill();
  await ended;
  agent.destroy();
  process.exit(failed ? 1 : 0);
}
