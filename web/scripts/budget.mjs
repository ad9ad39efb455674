// What a visitor loads: the first page's JavaScript and styles, each page's own, and all of the interface, compressed.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const out = fileURLToPath(new URL('../../build/web/', import.meta.url));
const manifest = JSON.parse(readFileSync(`${out}manifest.json`, 'utf8'));
const sizes = new Map();
const gzip = (file) => {
  if (!sizes.has(file)) sizes.set(file, gzipSync(readFileSync(`${out}dist/${file}`), { level: 9 }).length);
  return sizes.get(file);
};

/** The files that a chunk brings with it. */
function closure(key, found = new Set()) {
  const chunk = manifest[key];
  if (found.has(chunk.file)) return found;
  found.add(chunk.file);
  for (const other of chunk.imports ?? []) closure(other, found);
  return found;
}
const kb = (bytes) => Math.round(bytes / 100) / 10;
const sum = (files) => [...files].filter((file) => file.endsWith('.js')).reduce((total, file) => total + gzip(file), 0);
const problems = [];
function limit(what, bytes, most) {
  console.log(`${what}: ${kb(bytes)} kB of ${most}`);
  if (bytes > most * 1000) problems.push(`${what} has ${kb(bytes)} kB, more than ${most}`);
}

const shell = closure('index.html');
limit('first JavaScript (gzip)', sum(shell), 200);
const styles = new Set(Object.values(manifest).flatMap((chunk) => (chunk.css ?? []).concat(chunk.file)).filter((file) => file.endsWith('.css')));
limit('styles (gzip)', [...styles].reduce((total, file) => total + gzip(file), 0), 40);
for (const [key, chunk] of Object.entries(manifest)) {
  if (chunk.isDynamicEntry) limit(`with ${chunk.src ?? chunk.name ?? key} (gzip)`, sum(new Set([...shell, ...closure(key)])), 340);
}
for (const chunk of Object.values(manifest)) {
  const size = statSync(`${out}dist/${chunk.file}`).size;
  if (size > 560_000) problems.push(`${chunk.file} has ${kb(size)} kB, more than 560`);
}
const brotli = readdirSync(`${out}dist`, { recursive: true }).filter((name) => name.endsWith('.br'));
limit('all of it (brotli)', brotli.reduce((total, name) => total + statSync(`${out}dist/${name}`).size, 0), 800);
for (const problem of problems) console.error(problem);
process.exitCode = problems.length === 0 ? 0 : 1;
