// client.mjs [--write]: is src/api/schema.d.ts made from the OpenAPI document that the program serves? With --write it is made anew
// (needs the packages of tools/). Texts of the document do not count: only what types are made of.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startServer } from '../e2e/server.mjs';

const file = fileURLToPath(new URL('../src/api/schema.d.ts', import.meta.url));
const TEXTS = new Set(['description', 'summary', 'example', 'examples', 'title']);

/** Without texts; `properties` names members, which may be called like a text. */
function typesOnly(value, naming = false) {
  if (Array.isArray(value)) return value.map((item) => typesOnly(item));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, member]) => naming || !TEXTS.has(key) || (key === 'title' && typeof member === 'object'))
      .map(([key, member]) => [key, typesOnly(member, key === 'properties' || key === 'schemas')]),
  );
}

export async function serverTypes(base) {
  const { info: _info, ...document } = await (await fetch(`${base}/api/openapi.json`)).json();
  const types = { ...typesOnly(document), info: { title: 'Pawl', version: '0' } };
  return { types, hash: createHash('sha256').update(JSON.stringify(types)).digest('hex') };
}

export function clientHash() {
  return /^\/\/ from (\w+)$/m.exec(readFileSync(file, 'utf8'))?.[1];
}

async function main() {
  const server = await startServer();
  try {
    const { types, hash } = await serverTypes(server.base);
    if (!process.argv.includes('--write')) {
      if (clientHash() === hash) return;
      console.error('web/src/api/schema.d.ts is not made from the API as it is now: run `scripts/web client`');
      process.exitCode = 1;
      return;
    }
    const folder = mkdtempSync(join(tmpdir(), 'pawl-openapi-'));
    const document = join(folder, 'openapi.json');
    writeFileSync(document, JSON.stringify(types));
    const cli = fileURLToPath(new URL('../tools/node_modules/openapi-typescript/bin/cli.js', import.meta.url));
    execFileSync(process.execPath, [cli, document, '-o', join(folder, 'schema.d.ts')], { stdio: 'ignore' });
    writeFileSync(file, `// Made by \`scripts/web client\`; do not edit.\n// from ${hash}\n${readFileSync(join(folder, 'schema.d.ts'), 'utf8')}`);
    rmSync(folder, { recursive: true });
  } finally {
    await server.stop();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
