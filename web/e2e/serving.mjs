// How the interface comes out of the program: policy, caching, compression, addresses.
import assert from 'node:assert/strict';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { request } from 'node:http';

/** Without the help that `fetch` gives: bodies stay packed. */
function get(base, path, headers = {}, method = 'GET') {
  return new Promise((resolve, reject) => {
    const sent = request(base + path, { headers, method }, (reply) => {
      const parts = [];
      reply.on('data', (part) => parts.push(part));
      reply.on('end', () => resolve({ status: reply.statusCode, headers: reply.headers, body: Buffer.concat(parts) }));
    });
    sent.on('error', reject);
    sent.end();
  });
}

function decoded({ headers, body }) {
  if (headers['content-encoding'] === 'br') return brotliDecompressSync(body);
  return headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
}

export const servingTests = [
  [
    'the page has a strict policy with a nonce of its own each time, and is not kept',
    async ({ server }) => {
      const nonces = new Set();
      for (const path of ['/', '/workflows', '/runs/0198/x', '/login']) {
        const { status, headers, body } = await get(server.base, path);
        assert.equal(status, 200, path);
        assert.equal(headers['cache-control'], 'no-store');
        const policy = headers['content-security-policy'];
        for (const part of ["default-src 'none'", "script-src 'self';", "frame-ancestors 'none'", "base-uri 'none'"]) assert.ok(policy.includes(part), policy);
        assert.ok(!policy.includes('unsafe'), policy);
        const [, nonce] = /'nonce-([^']+)'/.exec(policy);
        assert.ok(body.toString().includes(`content="${nonce}"`));
        assert.ok(body.length < 2048, 'the page is small');
        assert.ok(!/<script(?![^>]*src=)|<style|style=/.test(body.toString()), 'nothing inline');
        nonces.add(nonce);
      }
      assert.equal(nonces.size, 4);
    },
  ],
  [
    'assets are kept for ever, come compressed, and are the same bytes in every form',
    async ({ server }) => {
      const html = (await get(server.base, '/')).body.toString();
      const paths = [...html.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map((match) => match[1]);
      assert.ok(paths.length >= 3, html);
      for (const path of paths) {
        const plain = await get(server.base, path);
        assert.match(plain.headers['cache-control'], /immutable/, path);
        const packed = await get(server.base, path, { 'Accept-Encoding': 'gzip, br' });
        const zipped = await get(server.base, path, { 'Accept-Encoding': 'gzip' });
        // What a coding would not make smaller comes as it is.
        const small = plain.body.length < 200;
        assert.ok(small || packed.headers['content-encoding'] === 'br', path);
        assert.ok(small || zipped.headers['content-encoding'] === 'gzip', path);
        assert.deepEqual(decoded(packed), plain.body);
        assert.deepEqual(decoded(zipped), plain.body);
        const again = await get(server.base, path, { 'Accept-Encoding': 'br', 'If-None-Match': packed.headers.etag });
        assert.equal(again.status, 304);
        assert.equal(again.body.length, 0);
      }
    },
  ],
  [
    'addresses that are no pages stay unknown',
    async ({ server }) => {
      for (const path of ['/no-such-page', '/assets/x.js', '/assets/../index.html', '/index.html', '/workflowsx', '/api/nothing', '/.env']) {
        const { status, headers } = await get(server.base, path);
        assert.ok([400, 404].includes(status), `${path} ${status}`);
        assert.equal(headers['content-type'], 'application/problem+json', path);
      }
      assert.equal((await get(server.base, '/workflows', {}, 'POST')).status, 405);
    },
  ],
  // proves: AI-M14
  [
    'a page loads its own code: the editor, the graph and the charts come only where they are shown',
    async ({ server, browser }) => {
      const visitor = await browser.person();
      const seen = [];
      visitor.on('response', (reply) => {
        if (new URL(reply.url()).pathname.endsWith('.js')) seen.push(new URL(reply.url()).pathname);
      });
      await visitor.goto(`${server.base}/login`);
      await visitor.getByRole('heading', { level: 1 }).waitFor();
      const bytes = (await Promise.all(seen.map((path) => get(server.base, path, { 'Accept-Encoding': 'gzip' })))).reduce((sum, reply) => sum + reply.body.length, 0);
      assert.ok(bytes < 200_000, `${bytes} bytes of JavaScript before the first page`);
      assert.deepEqual(seen.filter((path) => /editor|graph|chart|admin|profile|browser/.test(path)), []);
      await visitor.context().close();
    },
  ],
];
