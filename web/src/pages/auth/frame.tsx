import { Outlet } from '@tanstack/react-router';
import { type ReactNode, useEffect } from 'react';
import { Mark } from '@/app/mark';

export function AuthFrame() {
  return (
    <main className="grid min-h-dvh place-items-center bg-subtle px-4 py-10">
      <Outlet />
    </main>
  );
}

export function Card({ title, help, children, foot }: { title: string; help?: ReactNode; children: ReactNode; foot?: ReactNode }) {
  useEffect(() => {
    document.title = `${title} - Pawl`;
  }, [title]);
  return (
    <div className="flex w-full max-w-sm flex-col items-center gap-6">
      <Mark className="size-10" />
      <div className="w-full rounded-lg border border-line bg-bg p-6">
        <h1 className="text-xl font-semibold">{title}</h1>
        {help && <div className="mt-1 text-muted">{help}</div>}
        <div className="mt-5 flex flex-col gap-4 empty:hidden">{children}</div>
      </div>
      {foot && <div className="text-center text-sm text-muted">{foot}</div>}
    </div>
  );
}

/** What stands behind the `#` of a link that the server made: it never leaves the browser by itself. */
export function linkToken(): string {
  return location.hash.slice(1);
}
