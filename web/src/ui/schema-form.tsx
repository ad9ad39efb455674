// A form out of a JSON Schema: a control for each member, what is wrong beside it, by JSON pointer. What has no control of its own is JSON.
import { Plus, X } from 'lucide-react';
import { type ReactNode, useId, useState } from 'react';
import { t } from '@/i18n/en';
import { Button, IconButton } from './button';
import { described, Frame } from './field';
import { below, blankOf, check, controlOf, MASK, type Problems, type Schema, Unfinished } from './schema';

const NONE: Problems = {};
const NO_NAMES: readonly string[] = [];

type FieldProps = {
  schema: Schema;
  name: string;
  pointer: string;
  value: unknown;
  onChange: (value: unknown) => void;
  problems: Problems;
  required: boolean;
  expressions: boolean;
};

/**
 * The members of an object. `hidden` are left out (they belong to another control of the page). With `expressions` a number may be
 * `${ .count }`: the form then edits a definition instead of a value.
 */
export function SchemaForm({
  schema,
  value,
  onChange,
  problems = NONE,
  hidden = NO_NAMES,
  expressions = false,
}: {
  schema: Schema;
  value: Record<string, unknown>;
  onChange: (value: Record<string, unknown>) => void;
  problems?: Problems;
  hidden?: readonly string[];
  expressions?: boolean;
}) {
  return (
    <div className="flex flex-col gap-3">
      <Members schema={schema} pointer="" value={value} onChange={onChange} problems={problems} expressions={expressions} hidden={hidden} />
    </div>
  );
}

function Members({
  schema,
  pointer,
  value,
  onChange,
  problems,
  expressions,
  hidden = NO_NAMES,
}: {
  schema: Schema;
  pointer: string;
  value: Record<string, unknown>;
  onChange: (value: Record<string, unknown>) => void;
  problems: Problems;
  expressions: boolean;
  hidden?: readonly string[];
}) {
  const required = schema.required ?? [];
  const names = Object.keys(schema.properties ?? {}).filter((name) => !hidden.includes(name));
  // What has to be given comes first; else the schema's order.
  const ordered = [...names.filter((name) => required.includes(name)), ...names.filter((name) => !required.includes(name))];
  return ordered.map((name) => (
    <Field
      key={name}
      schema={schema.properties?.[name] ?? {}}
      name={name}
      pointer={below(pointer, name)}
      value={value[name]}
      onChange={(now) => {
        const { [name]: _before, ...rest } = value;
        onChange(now === undefined ? rest : { ...value, [name]: now });
      }}
      problems={problems}
      required={required.includes(name)}
      expressions={expressions}
    />
  ));
}

function Field(props: FieldProps) {
  const { schema, value, expressions } = props;
  const control = controlOf(schema);
  // An expression, or a value of another kind than the schema's, is shown as what it is.
  const fits =
    value === undefined ||
    value instanceof Unfinished ||
    (control === 'group' ? typeof value === 'object' && !Array.isArray(value) : control === 'list' ? Array.isArray(value) : control === 'flag' ? typeof value === 'boolean' : true);
  if (!fits) return <ValueField {...props} />;
  switch (control) {
    case 'choice':
      return expressions && typeof value === 'string' && value.includes('${') ? <TextInput {...props} /> : <ChoiceField {...props} />;
    case 'flag':
      return <FlagField {...props} />;
    case 'number':
      return <NumberField {...props} />;
    case 'secret':
      return <SecretField {...props} />;
    case 'text':
      return typeof value === 'string' && value.includes('\n') ? <LongField {...props} /> : <TextInput {...props} />;
    case 'long':
      return <LongField {...props} />;
    case 'list':
      return <ListField {...props} />;
    case 'group':
      return <GroupField {...props} />;
    default:
      return <ValueField {...props} />;
  }
}

function labelOf({ schema, name, required }: Pick<FieldProps, 'schema' | 'name' | 'required'>): ReactNode {
  return (
    <>
      {schema.title ? schema.title : <span className="font-mono">{name}</span>}
      {required && <span className="font-normal text-muted"> ({t.form.required})</span>}
    </>
  );
}

function hintOf({ schema }: Pick<FieldProps, 'schema'>): string | undefined {
  const text = schema.description ? schema.description.charAt(0).toUpperCase() + schema.description.slice(1) : '';
  const given = schema.default === undefined || schema.default === null || controlOf(schema) === 'flag' || controlOf(schema) === 'choice' ? '' : t.form.defaults(JSON.stringify(schema.default));
  return [text, given].filter(Boolean).join(' · ') || undefined;
}

/** The attributes that controls share. */
function useControl(props: FieldProps) {
  const id = useId();
  const hint = hintOf(props);
  const error = props.problems[props.pointer];
  return { id, hint, error, label: labelOf(props), attributes: { ...described(id, hint, error), 'aria-required': props.required || undefined, 'data-pointer': props.pointer } };
}

const TYPES: Record<string, string> = { email: 'email', uri: 'url', date: 'date', time: 'time' };

function TextInput(props: FieldProps) {
  const { id, hint, error, label, attributes } = useControl(props);
  const { schema, value, onChange, expressions } = props;
  const example = schema.examples?.[0];
  return (
    <Frame id={id} label={label} hint={hint} error={error}>
      <input
        className="input"
        type={expressions ? 'text' : (TYPES[schema.format ?? ''] ?? 'text')}
        autoComplete="off"
        spellCheck={false}
        placeholder={typeof example === 'string' ? example : undefined}
        value={value instanceof Unfinished ? value.text : typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value)}
        onChange={(event) => onChange(event.target.value === '' ? undefined : event.target.value)}
        {...attributes}
      />
    </Frame>
  );
}

function LongField(props: FieldProps) {
  const { id, hint, error, label, attributes } = useControl(props);
  return (
    <Frame id={id} label={label} hint={hint} error={error}>
      <textarea
        className="input min-h-24 font-mono text-sm"
        spellCheck={false}
        value={typeof props.value === 'string' ? props.value : ''}
        onChange={(event) => props.onChange(event.target.value === '' ? undefined : event.target.value)}
        {...attributes}
      />
    </Frame>
  );
}

/** What is stored is never shown; empty keeps it. */
function SecretField(props: FieldProps) {
  const { id, hint, error, label, attributes } = useControl(props);
  const [stored] = useState(props.value === MASK);
  const shown = typeof props.value === 'string' && props.value !== MASK ? props.value : '';
  const long = (props.schema.maxLength ?? 0) > 2000;
  const change = (text: string) => props.onChange(text === '' ? (stored ? MASK : undefined) : text);
  const given = stored && !shown ? t.form.stored : hint;
  const common = { ...attributes, 'aria-describedby': described(id, given, error)['aria-describedby'] };
  return (
    <Frame id={id} label={label} hint={given} error={error}>
      {long ? (
        <textarea className="input min-h-24 font-mono text-sm" spellCheck={false} autoComplete="off" placeholder={stored ? '••••••••' : undefined} value={shown} onChange={(event) => change(event.target.value)} {...common} />
      ) : (
        <input className="input" type="password" autoComplete="new-password" placeholder={stored ? '••••••••' : undefined} value={shown} onChange={(event) => change(event.target.value)} {...common} />
      )}
    </Frame>
  );
}

function NumberField(props: FieldProps) {
  const { id, hint, error, label, attributes } = useControl(props);
  const { value, onChange, expressions } = props;
  const text = value instanceof Unfinished ? value.text : value === undefined ? '' : String(value);
  return (
    <Frame id={id} label={label} hint={hint} error={error}>
      <input
        className="input"
        inputMode={expressions ? 'text' : 'decimal'}
        autoComplete="off"
        value={text}
        onChange={(event) => {
          const typed = event.target.value;
          const number = Number(typed);
          if (typed.trim() === '') onChange(undefined);
          else if (expressions && typed.trimStart().startsWith('$')) onChange(typed);
          // `1.` and `1e` are on their way to a number.
          else onChange(Number.isFinite(number) && String(number) === typed.trim() ? number : new Unfinished(typed));
        }}
        onBlur={() => value instanceof Unfinished && value.text.trim() !== '' && Number.isFinite(Number(value.text)) && onChange(Number(value.text))}
        {...attributes}
      />
    </Frame>
  );
}

function ChoiceField(props: FieldProps) {
  const { id, hint, error, label, attributes } = useControl(props);
  const { schema, value, onChange } = props;
  const choices = schema.enum ?? [];
  const at = choices.findIndex((choice) => JSON.stringify(choice) === JSON.stringify(value));
  return (
    <Frame id={id} label={label} hint={hint} error={error}>
      <select className="input" value={at < 0 ? '' : String(at)} onChange={(event) => onChange(event.target.value === '' ? undefined : choices[Number(event.target.value)])} {...attributes}>
        <option value="">{schema.default === undefined ? (props.required ? t.form.choose : t.form.notSet) : t.form.defaults(String(schema.default))}</option>
        {choices.map((choice, index) => (
          <option key={index} value={String(index)}>
            {typeof choice === 'string' ? choice : JSON.stringify(choice)}
          </option>
        ))}
      </select>
    </Frame>
  );
}

function FlagField(props: FieldProps) {
  const { id, hint, error, label, attributes } = useControl(props);
  const { schema, value, onChange } = props;
  return (
    <div className="flex items-start gap-2">
      <input type="checkbox" className="mt-0.5 size-4 accent-(--accent)" checked={typeof value === 'boolean' ? value : schema.default === true} onChange={(event) => onChange(event.target.checked)} {...attributes} />
      <div>
        <label htmlFor={id} className="text-sm font-medium">
          {label}
        </label>
        {hint && (
          <p id={`${id}-hint`} className="text-xs text-muted">
            {hint}
          </p>
        )}
        {error && (
          <p id={`${id}-error`} className="text-xs text-fail">
            {error}
          </p>
        )}
      </div>
    </div>
  );
}

function Group({ label, hint, error, children }: { label: ReactNode; hint: string | undefined; error: string | undefined; children: ReactNode }) {
  return (
    <fieldset className="flex min-w-0 flex-col gap-3 rounded-md border border-line px-3 pb-3">
      <legend className="px-1 text-sm font-medium">{label}</legend>
      {hint && <p className="-mt-1 text-xs text-muted">{hint}</p>}
      {error && (
        <p role="alert" className="text-xs text-fail">
          {error}
        </p>
      )}
      {children}
    </fieldset>
  );
}

function GroupField(props: FieldProps) {
  const { schema, pointer, value, onChange, problems, expressions } = props;
  const members = (value ?? {}) as Record<string, unknown>;
  return (
    <Group label={labelOf(props)} hint={hintOf(props)} error={problems[pointer]}>
      <Members schema={schema} pointer={pointer} value={members} onChange={(now) => onChange(Object.keys(now).length === 0 && !props.required ? undefined : now)} problems={problems} expressions={expressions} />
    </Group>
  );
}

function ListField(props: FieldProps) {
  const { schema, pointer, value, onChange, problems, expressions } = props;
  const items = Array.isArray(value) ? (value as unknown[]) : [];
  const inner = schema.items ?? {};
  const set = (now: unknown[]) => onChange(now.length === 0 && !props.required ? undefined : now);
  return (
    <Group label={labelOf(props)} hint={hintOf(props)} error={problems[pointer]}>
      {items.map((item, at) => (
        <div key={at} className="flex items-end gap-1.5">
          <div className="min-w-0 flex-1">
            <Field
              schema={{ ...inner, title: inner.title ?? t.form.item(at + 1) }}
              name={String(at)}
              pointer={below(pointer, at)}
              value={item}
              onChange={(now) => set(items.map((other, index) => (index === at ? (now === undefined ? blankOf(inner) : now) : other)))}
              problems={problems}
              required={false}
              expressions={expressions}
            />
          </div>
          <IconButton label={t.form.removeItem(at + 1)} onClick={() => set(items.filter((_other, index) => index !== at))}>
            <X className="size-4" aria-hidden="true" />
          </IconButton>
        </div>
      ))}
      <Button className="self-start" onClick={() => set([...items, blankOf(inner)])}>
        <Plus className="size-4" aria-hidden="true" />
        {t.form.addItem}
      </Button>
    </Group>
  );
}

/** JSON; where text is allowed, what is no JSON is text. */
function ValueField(props: FieldProps) {
  const { id, hint, error, label, attributes } = useControl(props);
  const { schema, value, onChange } = props;
  const asText = schema.type === undefined || [schema.type].flat().includes('string') || props.expressions;
  const written = (now: unknown) => (now === undefined ? '' : now instanceof Unfinished ? now.text : asText && typeof now === 'string' ? now : JSON.stringify(now, null, 2));
  const [text, setText] = useState(() => written(value));
  const [known, setKnown] = useState(value);
  if (known !== value) {
    setKnown(value);
    setText(written(value));
  }
  const change = (typed: string) => {
    const now = typed.trim() === '' ? undefined : parsed(typed, asText);
    setText(typed);
    setKnown(now);
    onChange(now);
  };
  return (
    <Frame id={id} label={label} hint={hint ?? (asText ? t.form.jsonOrText : t.form.json)} error={error}>
      <textarea
        rows={Math.min(8, Math.max(2, text.split('\n').length))}
        className="input font-mono text-sm"
        spellCheck={false}
        value={text}
        onChange={(event) => change(event.target.value)}
        {...attributes}
        aria-describedby={described(id, true, error)['aria-describedby']}
      />
    </Frame>
  );
}

function parsed(text: string, asText: boolean): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return asText && !/^\s*[[{"]/.test(text) ? text : new Unfinished(text);
  }
}

/** Values, what is wrong with them, and whether they may be sent; findings show after the first try. */
export function useSchemaForm(schema: Schema, initial: Record<string, unknown>, expressions = false) {
  const [value, setValue] = useState(initial);
  const [tried, setTried] = useState(false);
  const [refused, setRefused] = useState<Problems>(NONE);
  const found = check(schema, value, expressions);
  return {
    value,
    problems: tried ? { ...refused, ...found } : refused,
    change: (now: Record<string, unknown>) => {
      setValue(now);
      setRefused(NONE);
    },
    refuse: setRefused,
    /** True where nothing is wrong; else the findings show and the first gets the focus. */
    ready: (form: HTMLElement | null): boolean => {
      setTried(true);
      if (Object.keys(found).length === 0) return true;
      requestAnimationFrame(() => form?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus());
      return false;
    },
  };
}
