// A status is a shape and a word, never colour alone.
import type { ReactNode } from 'react';
import { t } from '@/i18n/en';
import { cx } from './cx';

export type Tone = 'ok' | 'run' | 'fail' | 'wait' | 'retry' | 'idle';
const TONES: Record<string, Tone> = {
  completed: 'ok',
  running: 'run',
  faulted: 'fail',
  waiting: 'wait',
  suspended: 'wait',
  retrying: 'retry',
  pending: 'idle',
  cancelled: 'idle',
  skipped: 'idle',
};
export const TEXT: Record<Tone, string> = { ok: 'text-ok', run: 'text-run', fail: 'text-fail', wait: 'text-wait', retry: 'text-retry', idle: 'text-idle' };
export const FILL: Record<Tone, string> = {
  ok: 'bg-fill-ok',
  run: 'bg-fill-run',
  fail: 'bg-fill-fail',
  wait: 'bg-fill-wait',
  retry: 'bg-fill-retry',
  idle: 'bg-fill-idle',
};
export const STROKE: Record<Tone, string> = {
  ok: 'stroke-fill-ok',
  run: 'stroke-fill-run',
  fail: 'stroke-fill-fail',
  wait: 'stroke-fill-wait',
  retry: 'stroke-fill-retry',
  idle: 'stroke-fill-idle',
};

export function toneOf(status: string): Tone {
  return TONES[status] ?? 'idle';
}

export function statusWord(status: string): string {
  return (t.status as Record<string, string>)[status] ?? status;
}

const line = { fill: 'none', stroke: 'currentColor', strokeWidth: 2, strokeLinecap: 'round', strokeLinejoin: 'round' } as const;
const SHAPES: Record<string, ReactNode> = {
  completed: <path d="M3 8.5 6.5 12 13 4.5" {...line} />,
  running: <path d="M5 3.5v9l7-4.5z" fill="currentColor" stroke="currentColor" strokeLinejoin="round" />,
  faulted: <path d="m4 4 8 8m0-8-8 8" {...line} />,
  waiting: <path d="M5.5 3.5v9m5-9v9" {...line} />,
  suspended: (
    <>
      <circle cx="8" cy="8" r="6.2" {...line} strokeWidth={1.6} />
      <path d="M6.4 5.8v4.4m3.2-4.4v4.4" {...line} strokeWidth={1.6} />
    </>
  ),
  retrying: <path d="M13 8a5 5 0 1 1-1.6-3.7M13 2.5v3h-3" {...line} strokeWidth={1.8} />,
  pending: <circle cx="8" cy="8" r="4.5" {...line} strokeWidth={1.8} />,
  cancelled: <rect x="4" y="4" width="8" height="8" rx="1" fill="currentColor" />,
  skipped: <path d="m3.5 4 4 4-4 4m5-8 4 4-4 4" {...line} strokeWidth={1.8} />,
};

export function StatusShape({ status, className }: { status: string; className?: string }) {
  return (
    <svg viewBox="0 0 16 16" aria-hidden="true" className={cx('size-4 shrink-0', TEXT[toneOf(status)], status === 'running' && 'pulse', className)}>
      {SHAPES[status] ?? SHAPES['pending']}
    </svg>
  );
}

export function Status({ status, className, word }: { status: string; className?: string; word?: string }) {
  return (
    <span className={cx('inline-flex items-center gap-1.5 whitespace-nowrap', TEXT[toneOf(status)], className)}>
      <StatusShape status={status} />
      {word ?? statusWord(status)}
    </span>
  );
}

export function Badge({ children, tone = 'idle', title }: { children: ReactNode; tone?: Tone; title?: string }) {
  return (
    <span title={title} className={cx('inline-flex h-5 items-center gap-1 rounded-sm border border-line px-1.5 text-xs whitespace-nowrap', TEXT[tone])}>
      {children}
    </span>
  );
}
