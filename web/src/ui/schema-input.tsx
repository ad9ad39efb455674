// A value by its schema: as a form, or as JSON for whom that is quicker. Both are the same value.
import { useState } from 'react';
import { t } from '@/i18n/en';
import { TextArea } from './field';
import { type Problems, type Schema, Unfinished } from './schema';
import { SchemaForm } from './schema-form';

type Value = Record<string, unknown>;

export function SchemaInput({
  schema,
  value,
  onChange,
  problems,
  label,
  asJson: jsonFirst = false,
  hidden,
}: {
  schema: Schema;
  value: Value;
  onChange: (value: Value) => void;
  problems: Problems;
  label: string;
  asJson?: boolean;
  hidden?: readonly string[];
}) {
  const [asJson, setAsJson] = useState(jsonFirst);
  const [text, setText] = useState(() => JSON.stringify(plain(value), null, 2));
  const [wrong, setWrong] = useState<string>();
  const [known, setKnown] = useState(value);
  // A value from elsewhere is shown; one's own is there as it was typed.
  if (known !== value) {
    setKnown(value);
    setText(JSON.stringify(plain(value), null, 2));
    setWrong(undefined);
  }
  const change = (typed: string) => {
    setText(typed);
    try {
      const now = JSON.parse(typed) as unknown;
      if (now === null || typeof now !== 'object' || Array.isArray(now)) return setWrong(t.form.wrongType(t.form.types.object));
      setWrong(undefined);
      setKnown(now as Value);
      onChange(now as Value);
    } catch (error) {
      setWrong(error instanceof Error ? error.message : String(error));
    }
  };
  const findings = Object.entries(problems).map(([pointer, message]) => `${pointer.slice(1)}: ${message}`);
  return (
    <div className="flex flex-col gap-3">
      <div role="group" aria-label={t.form.writeAs} className="flex self-end rounded-md border border-line">
        {([false, true] as const).map((json) => (
          <button
            key={String(json)}
            type="button"
            aria-pressed={asJson === json}
            // JSON that does not read cannot become a form.
            disabled={!json && wrong !== undefined}
            onClick={() => {
              setText(JSON.stringify(plain(value), null, 2));
              setAsJson(json);
            }}
            className="h-7 rounded-md px-2.5 text-sm disabled:opacity-50 aria-pressed:bg-hover aria-pressed:font-medium"
          >
            {json ? t.form.asJson : t.form.asForm}
          </button>
        ))}
      </div>
      {asJson ? (
        <TextArea label={label} error={wrong ?? (findings.join('\n') || undefined)} className="min-h-40 font-mono text-sm" spellCheck={false} value={text} onChange={(event) => change(event.target.value)} />
      ) : (
        <SchemaForm schema={schema} value={value} onChange={onChange} problems={problems} {...(hidden ? { hidden } : {})} />
      )}
    </div>
  );
}

/** What is not finished is what was typed. */
function plain(value: unknown): unknown {
  if (value instanceof Unfinished) return value.text;
  if (Array.isArray(value)) return value.map(plain);
  if (value !== null && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, plain(member)]));
  return value;
}
