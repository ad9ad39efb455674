// The one place that calls the server. Sessions live in cookies that scripts cannot read; what changes something carries the CSRF token.
import createClient, { type Middleware } from 'openapi-fetch';
import type { components, paths } from './schema';

export type Schemas = components['schemas'];
export type Problem = Schemas['Problem'];

/** What the server (or the lack of one) said; `message` is its `detail`. */
export class ApiError extends Error {
  readonly status: number;
  readonly problem: Partial<Problem>;
  constructor(status: number, problem: Partial<Problem>) {
    super(problem.detail ?? problem.title ?? '');
    this.status = status;
    this.problem = problem;
  }
  get code(): string {
    return this.problem.code ?? '';
  }
  /** What is wrong with a member of the request, by its JSON pointer. */
  of(pointer: string): string | undefined {
    return this.problem.errors?.find((finding) => finding.pointer === pointer)?.message;
  }
}

let organization: string | null = null;
let onSignedOut: () => void = () => undefined;

/** Requests that name no organization act in this one. */
export function actIn(id: string | null): void {
  organization = id;
}

export function actsIn(): string | null {
  return organization;
}

export function whenSignedOut(action: () => void): void {
  onSignedOut = action;
}

export function cookie(name: string): string | undefined {
  for (const part of document.cookie.split('; ')) {
    const at = part.indexOf('=');
    const found = part.slice(0, at);
    if (found === name || found === `__Host-${name}`) return decodeURIComponent(part.slice(at + 1));
  }
  return undefined;
}

function addHeaders(request: Request): void {
  request.headers.set('X-Pawl-Session', 'cookie');
  const token = cookie('pawl_csrf');
  if (token && request.method !== 'GET' && request.method !== 'HEAD') request.headers.set('X-CSRF-Token', token);
  if (organization) request.headers.set('X-Organization-Id', organization);
}

let refreshing: Promise<boolean> | null = null;
let renewals = 0;

/** One refresh at a time, whatever number of requests found the session too old. */
function refresh(): Promise<boolean> {
  refreshing ??= fetch('/api/auth/refresh', { method: 'POST', headers: { 'X-Pawl-Session': 'cookie' } })
    .then((reply) => reply.ok, () => false)
    .then((renewed) => {
      if (renewed) renewals += 1;
      return renewed;
    })
    .finally(() => {
      refreshing = null;
    });
  return refreshing;
}

/** A request as it can be sent again, and how often the session had been renewed when it was sent. */
const kept = new WeakMap<Request, { again: Request; sentAt: number }>();
const session: Middleware = {
  onRequest({ request }) {
    addHeaders(request);
    kept.set(request, { again: request.clone(), sentAt: renewals });
    return request;
  },
  async onResponse({ request, response, schemaPath }) {
    if (response.status !== 401 || ['/api/auth/login', '/api/auth/refresh'].includes(schemaPath)) return response;
    const sent = kept.get(request);
    // An answer that comes after a renewal which the request did not know of speaks of the session before it.
    if (sent && (sent.sentAt < renewals || (await refresh()))) {
      addHeaders(sent.again);
      return fetch(sent.again);
    }
    onSignedOut();
    return response;
  },
};

export const api = createClient<paths>({ baseUrl: typeof location === 'undefined' ? '' : location.origin });
api.use(session);

/** The reply's data; throws an ApiError where the server refused or could not be reached. */
export async function ask<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  let result: { data?: T; error?: unknown; response: Response };
  try {
    result = await call;
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError(0, { code: 'web.offline' });
  }
  if (!result.response.ok) {
    const problem = result.error !== null && typeof result.error === 'object' ? (result.error as Partial<Problem>) : {};
    throw new ApiError(result.response.status, problem);
  }
  return result.data as T;
}
