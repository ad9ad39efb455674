import { X } from 'lucide-react';
import type { ReactNode } from 'react';
import { t } from '@/i18n/en';
import { IconButton } from './button';

/** Lies beside the list and leaves the focus where it is. */
export function Peek({ title, close, children }: { title: string; close: () => void; children: ReactNode }) {
  return (
    <section aria-label={t.peek.label(title)} className="fixed top-3 right-3 z-20 flex max-h-[calc(100dvh-24px)] w-96 max-w-[calc(100vw-24px)] flex-col rounded-lg border border-line bg-raised shadow-layer">
      <div className="flex items-center gap-2 px-4 pt-3">
        <h2 className="min-w-0 flex-1 truncate text-lg font-semibold">{title}</h2>
        <IconButton label={t.common.close} className="-mr-2" onClick={close}>
          <X className="size-4" aria-hidden="true" />
        </IconButton>
      </div>
      <div aria-live="polite" className="flex min-h-0 flex-col gap-3 overflow-y-auto px-4 pt-1 pb-4" tabIndex={0}>
        {children}
      </div>
    </section>
  );
}

/** Names and values below each other. */
export function Facts({ of }: { of: readonly (readonly [string, ReactNode])[] }) {
  return (
    <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1 text-sm">
      {of.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-muted">{name}</dt>
          <dd className="min-w-0 break-words">{value}</dd>
        </div>
      ))}
    </dl>
  );
}
