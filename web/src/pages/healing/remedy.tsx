// A remedy: why the run failed, what would be done about it, what that changes, and how it went.
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { Remedy } from '@/api/remedies';
import { t } from '@/i18n/en';
import { cx } from '@/ui/cx';
import { JsonView } from '@/ui/json-view';
import { Badge, Status } from '@/ui/status';

const SHAPES: Record<Remedy['status'], string> = { proposed: 'waiting', rejected: 'cancelled', applying: 'running', applied: 'completed', failed: 'faulted' };
const text = (value: unknown) => (typeof value === 'string' ? value : '');
const nameOf = (reference: string) => reference.slice(reference.lastIndexOf('/') + 1);

export function RemedyView({ remedy }: { remedy: Remedy }) {
  const { dry_run: tried, model } = remedy;
  const added = Object.entries((remedy.added_capabilities ?? {}) as Record<string, unknown>).flatMap(([kind, found]) => namesIn(found).map((name) => `${kind}: ${name}`));
  return (
    <div className="flex flex-col gap-3">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <h2 className="font-medium">{remedy.kind === 'retry' && text(remedy.from) ? t.healing.from(nameOf(text(remedy.from))) : t.healing.kinds[remedy.kind]}</h2>
        <Status status={SHAPES[remedy.status]} word={t.healing.statuses[remedy.status]} />
        {remedy.outcome && <Status status={remedy.outcome === 'worked' ? 'completed' : 'faulted'} word={t.healing.outcomes[remedy.outcome]} />}
        {text(remedy.confidence) && <Badge>{t.healing.confidence(text(remedy.confidence))}</Badge>}
      </div>
      <p className="text-sm text-muted">{remedy.source === 'learned' ? t.healing.learned : model ? t.healing.byModel(model.model, model.tokens, model.scripted) : ''}</p>
      {text(remedy.root_cause) && <Part title={t.healing.cause}>{text(remedy.root_cause)}</Part>}
      {text(remedy.explanation) && <Part title={t.healing.what}>{text(remedy.explanation)}</Part>}
      {text(remedy.diff) && (
        <Part title={t.healing.diff}>
          <UnifiedDiff text={text(remedy.diff)} label={t.healing.diff} />
        </Part>
      )}
      {remedy.input !== null && remedy.input !== undefined && (
        <Part title={t.healing.input}>
          <JsonView value={remedy.input} label={t.healing.input} />
        </Part>
      )}
      {added.length > 0 && (
        <Part title={t.healing.reaches}>
          <List items={added} />
        </Part>
      )}
      {remedy.done_again.length > 0 && (
        <Part title={t.healing.again}>
          <List items={remedy.done_again} />
        </Part>
      )}
      {tried && (
        <Part title={t.healing.tried}>
          <Link to="/runs/$runId" params={{ runId: tried.run_id }} className="w-fit hover:underline">
            <Status status={tried.status} />
          </Link>
          {!tried.conclusive && <span className="text-sm text-muted">{t.healing.notConclusive}</span>}
        </Part>
      )}
      {remedy.failure && <p className="text-sm break-words text-fail">{remedy.failure}</p>}
      {remedy.result_run_id && (
        <p className="flex flex-wrap gap-x-3">
          <Link to="/runs/$runId" params={{ runId: remedy.result_run_id }} className="link">
            {t.healing.result}
          </Link>
          {remedy.new_version !== null && (
            <Link to="/workflows/$workflowId/versions" params={{ workflowId: remedy.workflow_id }} search={{ to: String(remedy.new_version) }} className="link">
              {t.healing.version(remedy.new_version)}
            </Link>
          )}
        </p>
      )}
    </div>
  );
}

/** The names of capabilities, however deep they lie. */
function namesIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(namesIn);
  if (value === null || typeof value !== 'object') return [];
  const { name } = value as { name?: unknown };
  return typeof name === 'string' ? [name] : Object.values(value).flatMap(namesIn);
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="flex min-w-0 flex-col gap-1">
      <h3 className="font-medium">{title}</h3>
      {typeof children === 'string' ? <p className="break-words whitespace-pre-line">{children}</p> : children}
    </section>
  );
}

function List({ items }: { items: readonly string[] }) {
  return (
    <ul className="text-sm">
      {items.map((item) => (
        <li key={item} className="font-mono break-all">
          {item}
        </li>
      ))}
    </ul>
  );
}

const KINDS: Record<string, { tone: string; word: string }> = { '+': { tone: 'text-ok', word: t.versions.added }, '-': { tone: 'text-fail', word: t.versions.removed } };

function UnifiedDiff({ text: lines, label }: { text: string; label: string }) {
  return (
    <div tabIndex={0} role="region" aria-label={label} className="panel max-h-80 overflow-auto py-1 font-mono text-sm">
      {lines.trimEnd().split('\n').map((line, at) => {
        const kind = KINDS[line.charAt(0)];
        return (
          <div key={at} className={cx('min-w-fit px-2 whitespace-pre', kind ? cx(kind.tone, 'bg-subtle') : line.startsWith('@@') && 'text-muted')}>
            {kind && <span className="sr-only">{kind.word}</span>}
            {line || ' '}
          </div>
        );
      })}
    </div>
  );
}
