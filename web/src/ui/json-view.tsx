import { Check, ChevronRight, Copy } from 'lucide-react';
import { useMemo, useState } from 'react';
import { t } from '@/i18n/en';
import { IconButton } from './button';
import { bytes } from './format';

const OPEN = 2;
const FIRST = 50;

/** A value as a tree that opens where one looks; large lists show their beginning first. */
export function JsonView({ value, label }: { value: unknown; label: string }) {
  const text = useMemo(() => JSON.stringify(value, null, 2) ?? 'null', [value]);
  return (
    <div className="panel relative">
      <div className="flex items-center justify-between border-b border-line py-0.5 pr-1 pl-3 text-xs text-muted">
        {bytes(text.length)}
        <CopyButton text={text} label={`${t.common.copy}: ${label}`} />
      </div>
      <div tabIndex={0} role="group" aria-label={label} className="max-h-80 overflow-auto p-2 font-mono text-sm">
        <Node value={value} depth={0} />
      </div>
    </div>
  );
}

export function CopyButton({ text, label }: { text: string; label: string }) {
  const [copied, setCopied] = useState(false);
  const copy = () => {
    void navigator.clipboard.writeText(text).then(() => {
      setCopied(true);
      setTimeout(() => setCopied(false), 1500);
    });
  };
  return (
    <IconButton label={copied ? t.common.copied : label} className="size-7!" onClick={copy}>
      {copied ? <Check className="size-3.5" aria-hidden="true" /> : <Copy className="size-3.5" aria-hidden="true" />}
    </IconButton>
  );
}

function Node({ name, value, depth }: { name?: string; value: unknown; depth: number }) {
  const [open, setOpen] = useState(depth < OPEN);
  const [shown, setShown] = useState(FIRST);
  const key = name === undefined ? null : <span className="text-accent">{name}: </span>;
  if (value === null || typeof value !== 'object') {
    return (
      <div className="pl-4 break-words whitespace-pre-wrap">
        {key}
        <Leaf value={value} />
      </div>
    );
  }
  const list = Array.isArray(value);
  const entries = list ? value.map((item, at) => [String(at), item] as const) : Object.entries(value);
  const brief = list ? `[${entries.length}]` : `{${entries.length}}`;
  if (entries.length === 0) {
    return (
      <div className="pl-4">
        {key}
        <span className="text-muted">{list ? '[]' : '{}'}</span>
      </div>
    );
  }
  return (
    <div>
      <button type="button" aria-expanded={open} className="inline-flex min-h-6 items-center text-left hover:bg-hover" onClick={() => setOpen(!open)}>
        <ChevronRight className={open ? 'size-4 rotate-90 text-muted' : 'size-4 text-muted'} aria-hidden="true" />
        {key}
        <span className="text-muted">{brief}</span>
      </button>
      {open && (
        <div className="ml-2 border-l border-line pl-1">
          {entries.slice(0, shown).map(([child, item]) => (
            <Node key={child} name={child} value={item} depth={depth + 1} />
          ))}
          {entries.length > shown && (
            <button type="button" className="link ml-4 min-h-6" onClick={() => setShown(shown + 500)}>
              {t.json.more(entries.length - shown)}
            </button>
          )}
        </div>
      )}
    </div>
  );
}

const LONG = 2000;

function Leaf({ value }: { value: unknown }) {
  const [all, setAll] = useState(false);
  if (typeof value === 'string') {
    const cut = !all && value.length > LONG;
    return (
      <span className="text-ok">
        {JSON.stringify(cut ? value.slice(0, LONG) : value)}
        {cut && (
          <button type="button" className="link ml-1 min-h-6" onClick={() => setAll(true)}>
            {t.json.all(bytes(value.length))}
          </button>
        )}
      </span>
    );
  }
  return <span className="text-retry">{String(value)}</span>;
}
