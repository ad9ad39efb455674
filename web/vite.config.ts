import { fileURLToPath } from 'node:url';
import tailwindcss from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';
import { firstPage } from './scripts/first-page';

const AT_START = new Set(['react', 'router', 'shared']);

export default defineConfig({
  plugins: [react(), tailwindcss(), firstPage()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  build: {
    outDir: '../build/web/dist',
    emptyOutDir: true,
    target: ['chrome111', 'firefox114', 'safari16.4'],
    manifest: 'manifest.json',
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    rolldownOptions: {
      output: {
        // Of these most is called before the first page is painted: Chromium reads it all while it comes, beside the page's own thread, instead of each
        // function when it is called.
        postBanner: ({ name }) => (AT_START.has(name) ? '//# allFunctionsCalledOnLoad' : ''),
        codeSplitting: {
          groups: [
            // What stays the same from one release to the next, and what almost every page has: few files instead of dozens of some hundred bytes.
            { name: 'react', test: /node_modules[\\/](react|react-dom|scheduler)[\\/]/ },
            { name: 'router', test: /node_modules[\\/](@tanstack[\\/](?!react-virtual|virtual-core)|openapi-fetch|zustand|use-sync-external-store|get-nonce)/ },
            { name: 'shared', test: /src[\\/](ui[\\/](?!schema|charts|json|menu|dialog|confirm)|api|live)|node_modules[\\/]lucide-react/, minShareCount: 3 },
            // Pages are painted before anything opens over them; a phone has no menu in its frame.
            { name: 'layers', test: /src[\\/]ui[\\/](menu|dialog|confirm)/ },
            { name: 'reference', test: /src[\\/]editor[\\/]reference/ },
          ],
        },
      },
    },
  },
  worker: { format: 'es' },
  server: {
    proxy: { '/api': 'http://127.0.0.1:8000', '/ws': { target: 'ws://127.0.0.1:8000', ws: true } },
  },
  test: { environment: 'node', testTimeout: 120_000, include: ['test/**/*.test.{ts,tsx}'], pool: 'threads' },
});
