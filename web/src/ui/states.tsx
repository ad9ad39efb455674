// What a page shows while it has nothing to show: loading, nothing there, an error.
import { CircleAlert } from 'lucide-react';
import type { ReactNode } from 'react';
import { ApiError } from '@/api/client';
import { t } from '@/i18n/en';
import { Button } from './button';
import { cx } from './cx';

export function problemText(error: unknown): { title: string; detail: string; requestId?: string } {
  if (error instanceof ApiError) {
    if (error.status === 0) return { title: t.problem.offline, detail: t.problem.offlineHelp };
    const findings = error.problem.errors?.map((finding) => `${finding.pointer.replace(/^\//, '') || t.problem.whole}: ${finding.message}`) ?? [];
    const id = error.problem.request_id;
    return {
      title: error.problem.title ?? t.problem.unknown,
      detail: [error.message, ...findings].join('\n'),
      ...(id ? { requestId: id } : {}),
    };
  }
  return { title: t.problem.unknown, detail: error instanceof Error ? error.message : String(error) };
}

export function ProblemView({ error, retry, className }: { error: unknown; retry?: () => void; className?: string }) {
  const { title, detail, requestId } = problemText(error);
  return (
    <div role="alert" className={cx('flex items-start gap-3 rounded-lg border border-line bg-subtle p-4', className)}>
      <CircleAlert className="mt-0.5 size-4 shrink-0 text-fail" aria-hidden="true" />
      <div className="min-w-0 flex-1">
        <p className="font-medium">{title}</p>
        <p className="text-sm break-words whitespace-pre-line text-muted">{detail}</p>
        {requestId && (
          <p className="mt-1 font-mono text-xs text-muted">
            {t.problem.request} {requestId}
          </p>
        )}
      </div>
      {retry && <Button onClick={retry}>{error instanceof ApiError && error.code === 'web.outdated' ? t.problem.anew : t.common.retry}</Button>}
    </div>
  );
}

/** A short error inside of a form or dialog. */
export function FormProblem({ error }: { error: unknown }) {
  if (!error) return null;
  const { title, detail } = problemText(error);
  return (
    <p role="alert" className="rounded-md border border-line bg-subtle px-3 py-2 text-sm break-words whitespace-pre-line text-fail">
      {error instanceof ApiError && error.status === 0 ? `${title}. ${detail}` : detail || title}
    </p>
  );
}

export function Empty({ title, children, action }: { title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <div className="flex flex-col items-center gap-1 rounded-lg border border-dashed border-line px-6 py-12 text-center">
      <p className="text-lg font-medium">{title}</p>
      {children && <div className="max-w-md text-balance text-muted">{children}</div>}
      {action && <div className="mt-4 flex flex-wrap justify-center gap-2">{action}</div>}
    </div>
  );
}

/** Rows of the height that the data will have, so that nothing jumps. */
export function Loading({ rows = 6, height = 44 }: { rows?: number; height?: number }) {
  return (
    <div role="status" aria-label={t.common.loading} className="flex flex-col gap-2 py-1">
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} className="skeleton" style={{ height: height - 8, opacity: 1 - row / (rows + 2) }} />
      ))}
    </div>
  );
}
