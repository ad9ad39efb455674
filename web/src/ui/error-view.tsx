import { t } from '@/i18n/en';
import { JsonView } from './json-view';

/** An error as the language has it: what went wrong first, then all of it. */
export function ErrorView({ error }: { error: unknown }) {
  const problem = (error ?? {}) as { title?: unknown; detail?: unknown };
  const title = typeof problem.title === 'string' ? problem.title : null;
  const detail = typeof problem.detail === 'string' ? problem.detail : null;
  return (
    <div className="flex flex-col gap-2">
      {(title || detail) && (
        <div className="rounded-md border border-line bg-subtle px-3 py-2">
          {title && <p className="font-medium break-words text-fail">{title}</p>}
          {detail && <p className="text-sm break-words whitespace-pre-wrap">{detail}</p>}
        </div>
      )}
      {title || detail ? (
        <details>
          <summary className="w-fit cursor-pointer text-sm text-muted">{t.runs.errorWhole}</summary>
          <div className="mt-2">
            <JsonView value={error} label={t.runs.error} />
          </div>
        </details>
      ) : (
        <JsonView value={error} label={t.runs.error} />
      )}
    </div>
  );
}
