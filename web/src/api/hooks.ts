// Calls to webhooks, as anybody outside makes them: without the session.
export type HookAnswer = { status: number; body: string; ms: number };

export async function callHook(url: string, method: string, body: string, headers: Record<string, string>): Promise<HookAnswer> {
  const begun = performance.now();
  const plain = method === 'GET' || body === '';
  const reply = await fetch(url, {
    method,
    credentials: 'omit',
    headers: { ...headers, ...(plain ? {} : { 'Content-Type': 'application/json' }) },
    ...(plain ? {} : { body }),
  });
  return { status: reply.status, body: await reply.text(), ms: performance.now() - begun };
}

/** `X-Pawl-Signature` over the time and the body. */
export async function signature(secret: string, body: string): Promise<string> {
  const bytes = new TextEncoder();
  const time = Math.floor(Date.now() / 1000);
  const key = await crypto.subtle.importKey('raw', bytes.encode(secret), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  const digest = await crypto.subtle.sign('HMAC', key, bytes.encode(`${time}.${body}`));
  const hex = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return `t=${time},v1=${hex}`;
}
