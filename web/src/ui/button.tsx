import { Link, type LinkProps } from '@tanstack/react-router';
import type { ComponentProps, ReactNode } from 'react';
import { cx } from './cx';

type Kind = 'primary' | 'plain' | 'quiet' | 'danger';
const KINDS: Record<Kind, string> = {
  primary: 'bg-accent text-on-accent hover:bg-accent-hover border border-transparent font-medium',
  plain: 'border border-strong bg-bg text-fg hover:bg-hover',
  quiet: 'border border-transparent text-fg hover:bg-hover',
  danger: 'border border-strong bg-bg text-fail hover:bg-hover',
};
const SHAPE =
  'inline-flex h-8 pointer-coarse:h-10 shrink-0 items-center justify-center gap-1.5 rounded-md px-3 text-base whitespace-nowrap ' +
  'transition-colors duration-100 disabled:cursor-not-allowed disabled:opacity-55 aria-disabled:opacity-55';

export function buttonClass(kind: Kind = 'plain', extra?: string): string {
  return cx(SHAPE, KINDS[kind], extra);
}

export function Button({ kind = 'plain', busy = false, className, children, disabled, ...rest }: ComponentProps<'button'> & { kind?: Kind; busy?: boolean }) {
  return (
    <button type="button" className={buttonClass(kind, className)} disabled={disabled || busy} aria-busy={busy || undefined} {...rest}>
      {busy && <Spinner />}
      {children}
    </button>
  );
}

export function IconButton({ label, className, children, ...rest }: ComponentProps<'button'> & { label: string }) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      className={cx(
        'inline-grid size-8 pointer-coarse:size-10 shrink-0 place-items-center rounded-md text-muted transition-colors duration-100',
        'hover:bg-hover hover:text-fg disabled:cursor-not-allowed disabled:opacity-50',
        className,
      )}
      {...rest}
    >
      {children}
    </button>
  );
}

export function ButtonLink({ kind = 'plain', className, children, ...rest }: LinkProps & { kind?: Kind; className?: string; children: ReactNode }) {
  return (
    <Link {...(rest as LinkProps)} className={buttonClass(kind, className)}>
      {children}
    </Link>
  );
}

export function Spinner() {
  return (
    <svg viewBox="0 0 16 16" className="size-3.5 animate-spin" aria-hidden="true">
      <circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" strokeOpacity="0.3" strokeWidth="2" />
      <path d="M8 2a6 6 0 0 1 6 6" fill="none" stroke="currentColor" strokeWidth="2" strokeLinecap="round" />
    </svg>
  );
}
