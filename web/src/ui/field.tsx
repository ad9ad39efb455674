import { type ComponentProps, type ReactNode, useId } from 'react';
import { cx } from './cx';

type Common = { label: ReactNode; hint?: ReactNode; error?: string | undefined; hideLabel?: boolean };

export function Frame({ id, label, hint, error, hideLabel, children }: Common & { id: string; children: ReactNode }) {
  return (
    <div className="flex flex-col gap-1">
      <label htmlFor={id} className={hideLabel ? 'sr-only' : 'text-sm font-medium'}>
        {label}
      </label>
      {children}
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
  );
}

export function described(id: string, hint: unknown, error: unknown) {
  return {
    id,
    'aria-invalid': error ? true : undefined,
    'aria-describedby': cx(hint ? `${id}-hint` : null, error ? `${id}-error` : null) || undefined,
  };
}

export function TextField({ label, hint, error, hideLabel, className, ...rest }: ComponentProps<'input'> & Common) {
  const id = useId();
  return (
    <Frame id={id} label={label} hint={hint} error={error} hideLabel={hideLabel}>
      <input className={cx('input', className)} {...described(id, hint, error)} {...rest} />
    </Frame>
  );
}

export function TextArea({ label, hint, error, hideLabel, className, ...rest }: ComponentProps<'textarea'> & Common) {
  const id = useId();
  return (
    <Frame id={id} label={label} hint={hint} error={error} hideLabel={hideLabel}>
      <textarea className={cx('input', className)} {...described(id, hint, error)} {...rest} />
    </Frame>
  );
}

export function Select({
  label,
  hint,
  error,
  hideLabel,
  className,
  options,
  ...rest
}: ComponentProps<'select'> & Common & { options: readonly { value: string; label: string }[] }) {
  const id = useId();
  return (
    <Frame id={id} label={label} hint={hint} error={error} hideLabel={hideLabel}>
      <select className={cx('input', className)} {...described(id, hint, error)} {...rest}>
        {options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.label}
          </option>
        ))}
      </select>
    </Frame>
  );
}

export function Checkbox({ label, hint, ...rest }: ComponentProps<'input'> & { label: string; hint?: string }) {
  const id = useId();
  return (
    <div className="flex items-start gap-2">
      <input id={id} type="checkbox" className="mt-0.5 size-4 accent-(--accent)" aria-describedby={hint ? `${id}-hint` : undefined} {...rest} />
      <div>
        <label htmlFor={id}>{label}</label>
        {hint && (
          <p id={`${id}-hint`} className="text-xs text-muted">
            {hint}
          </p>
        )}
      </div>
    </div>
  );
}
