import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { setNonce } from 'get-nonce';
import { startTransition, StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { ApiError } from './api/client';
import { router } from './app/router';
import { nonce } from './app/nonce';
import { Toasts } from './ui/toast';
import './styles.css';

if (nonce) setNonce(nonce);

const queries = new QueryClient({
  defaultOptions: {
    // A machine without a network reaches the server that runs on it; and where nothing is reached that is said, not waited for.
    mutations: { networkMode: 'always' },
    queries: {
      networkMode: 'always',
      staleTime: 5_000,
      // A refusal stays one; what did not get through may do so at the second try.
      retry: (failures, error) => failures < 1 && (!(error instanceof ApiError) || error.status === 0 || error.status >= 500),
    },
  },
});

function begin(): void {
  const root = createRoot(document.getElementById('root') as HTMLElement);
  // What the page itself shows until then (index.html) stays until there is something to put in its place, which is made bit by bit.
  void router.load().finally(() =>
    startTransition(() =>
      root.render(
        <StrictMode>
          <QueryClientProvider client={queries}>
            <RouterProvider router={router} />
            <Toasts />
          </QueryClientProvider>
        </StrictMode>,
      ),
    ),
  );
}

// A turn of its own: to read the program is one piece of work, to begin with it another, and a touch may come in between.
void Promise.resolve().then(() => setTimeout(begin));
