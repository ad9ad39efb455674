import { type ReactNode, useEffect, useRef } from 'react';
import { cx } from './cx';

/** A page: its title is the document's title and gets the focus after a navigation. */
export function Page({ title, heading, actions, children, wide = false }: { title: string; heading?: ReactNode; actions?: ReactNode; children: ReactNode; wide?: boolean }) {
  return (
    <div className={cx('mx-auto flex w-full flex-col gap-4 px-4 py-4 md:px-6 md:py-5', wide ? 'max-w-none' : 'max-w-6xl')}>
      <div className="flex min-h-8 flex-wrap items-center gap-x-3 gap-y-2">
        <PageTitle title={title}>{heading}</PageTitle>
        {actions && <div className="ml-auto flex flex-wrap items-center gap-2">{actions}</div>}
      </div>
      {children}
    </div>
  );
}

let first = true;

export function PageTitle({ title, children, className }: { title: string; children?: ReactNode; className?: string }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} - Pawl`;
  }, [title]);
  useEffect(() => {
    if (!first) heading.current?.focus({ preventScroll: true });
    first = false;
  }, []);
  return (
    <h1 ref={heading} tabIndex={-1} className={cx('min-w-0 text-xl font-semibold break-words', className)}>
      {children ?? title}
    </h1>
  );
}

export function Section({ title, hint, actions, children }: { title: string; hint?: ReactNode; actions?: ReactNode; children: ReactNode }) {
  return (
    <section className="flex min-w-0 flex-col gap-3">
      <div className="flex flex-wrap items-end gap-2">
        <div className="min-w-0 flex-1 basis-60">
          <h2 className="text-lg font-semibold">{title}</h2>
          {hint && <p className="text-sm text-muted">{hint}</p>}
        </div>
        {actions}
      </div>
      {children}
    </section>
  );
}
