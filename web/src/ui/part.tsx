// Parts of a page whose code comes when they are first shown. It may not come: the connection can be gone, and after an update of the server the file is.
import { Component, type ComponentType, createElement, lazy, type ReactNode } from 'react';
import { ApiError } from '@/api/client';
import { t } from '@/i18n/en';
import { ProblemView } from './states';
import { toast } from './toast';

type Load<P> = () => Promise<{ default: ComponentType<P> }>;
type Part<P> = ComponentType<P> & {
  /** Has the code at hand before it is needed. That it does not come is told where the part is shown. */
  preload: () => void;
};

class Missing extends Error {
  constructor(readonly reason: ApiError) {
    super(reason.message);
  }
}

/** Why code did not come: the server is away (status 0), or it is there and has this code no more. */
export async function whyMissing(): Promise<ApiError> {
  const there = await fetch('/health/liveness', { cache: 'no-store', signal: AbortSignal.timeout(10_000) }).then(
    (reply) => reply.ok, // what stands before a server that is away answers for it
    () => false,
  );
  return there ? new ApiError(404, { code: 'web.outdated', title: t.problem.outdated, detail: t.problem.outdatedHelp }) : new ApiError(0, { code: 'web.offline' });
}

/** What `load` brings; else an error that says why. */
export async function code<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch {
    throw await whyMissing();
  }
}

/** A component that says in its place what is in the way, with a way on. */
export function part<P extends object>(load: Load<P>): Part<P> {
  return made(load, (error, retry) => <ProblemView error={error} retry={retry} />);
}

/** The same for what lies over the page: it is told in a message, and what opened it opens it again. */
export function layer<P extends { close: () => void }>(load: Load<P>): Part<P> {
  return made(
    load,
    () => null,
    (error, { close }) => {
      toast.failed(error);
      close();
    },
  );
}

function made<P extends object>(load: Load<P>, draw: (error: ApiError, retry: () => void) => ReactNode, tell?: (error: ApiError, props: P) => void): Part<P> {
  // React keeps the refusal of a lazy component for good: each further attempt is a new one.
  const attempt = () => lazy(() => code(load).catch((reason: ApiError) => Promise.reject(new Missing(reason))));
  let now = attempt();
  class PartOfPage extends Component<P, { error: unknown }> {
    static preload = () => void load().catch(() => undefined);
    override state = { error: null as unknown };
    static getDerivedStateFromError(error: unknown) {
      return { error };
    }
    override componentDidCatch(error: unknown) {
      if (!(error instanceof Missing)) return;
      now = attempt();
      tell?.(error.reason, this.props);
    }
    override render() {
      const { error } = this.state;
      if (error === null) return createElement(now as unknown as ComponentType<P>, this.props);
      // A fault of the part itself belongs to the page.
      if (!(error instanceof Missing)) throw error;
      return draw(error.reason, () => (error.reason.status === 0 ? this.setState({ error: null }) : location.reload()));
    }
  }
  return PartOfPage;
}
