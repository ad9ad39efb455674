// The real `pawl serve` on a free port over a temporary folder; `stop()` ends it and takes the folder away.
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Models that answer out of files. */
const MODELS = { LLM_SCRIPTS: fileURLToPath(new URL('models', import.meta.url)), LLM_PROVIDER: 'scripted', LLM_MODEL: 'draft' };

export function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

/** Where the server stores: with PAWL_TEST_BACKEND=postgresql in a schema of its own. */
function database(folder) {
  if (process.env.PAWL_TEST_BACKEND !== 'postgresql') return {};
  const schema = `web_${createHash('sha256').update(folder).digest('hex').slice(0, 24)}`;
  const url = process.env.PAWL_TEST_DATABASE_URL;
  execFileSync('psql', ['--quiet', '--no-psqlrc', url, '-c', `create schema if not exists ${schema}`], { stdio: 'ignore' });
  return { DATABASE_URL: `${url}?options=-csearch_path%3D${schema}` };
}

const ON_SQLITE = 'import sqlite3, sys; d = sqlite3.connect(sys.argv[1], timeout=30); d.execute(sys.argv[2]); d.commit(); d.close()';

/** Changes what is stored, to what an earlier release may have left there. */
function alter(folder, statement) {
  const { DATABASE_URL } = database(folder);
  if (DATABASE_URL) execFileSync('psql', ['--quiet', '--no-psqlrc', DATABASE_URL, '-c', statement], { stdio: 'ignore' });
  else execFileSync('python3', ['-c', ON_SQLITE, join(folder, 'data', 'pawl.db'), statement]);
}

/** `environment`: settings, or what makes them for the address that the server will have. */
export async function startServer(environment = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'pawl-web-'));
  const port = await freePort();
  const base = `http://127.0.0.1:${port}`;
  const plugins = join(folder, 'plugins');
  mkdirSync(plugins);
  const log = openSync(join(folder, 'serve.log'), 'a');
  const binary = process.env.PAWL_BINARY ?? new URL('../../build/release/pawl', import.meta.url).pathname;
  const child = spawn(binary, ['serve', '--port', String(port), '--data-dir', join(folder, 'data')], {
    env: { PATH: process.env.PATH, RATE_LIMIT_ENABLED: 'false', PAWL_ALLOW_PRIVATE_ADDRESSES: 'true', LOG_LEVEL: 'warning', PLUGIN_DIRECTORY: plugins, ...MODELS, ...database(folder), ...(typeof environment === 'function' ? environment(base) : environment) },
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const ended = new Promise((resolve) => {
    child.once('exit', (code) => resolve(code ?? -1));
  });
  const output = () => readFileSync(join(folder, 'serve.log'), 'utf8');
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  const giveUp = Date.now() + 60_000;
  for (;;) {
    if (child.exitCode !== null || Date.now() > giveUp) {
      const said = output();
      await stop();
      throw new Error(`pawl serve did not start: ${said}`);
    }
    const ready = await fetch(`${base}/health/readiness`).then((reply) => reply.ok, () => false);
    if (ready) break;
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
  }
  return { base, folder, plugins, output, stop, alter: (statement) => alter(folder, statement), setupLink: () => /http\S+\/setup#\S+/.exec(output())?.[0] };
}
