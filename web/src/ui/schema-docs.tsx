// A schema as documentation: members, what they take, what they mean.
import { t } from '@/i18n/en';
import { cx } from './cx';
import { isSchema, kindInWords, type Schema } from './schema';

export function SchemaDocs({ schema, label }: { schema: Schema; label: string }) {
  const names = Object.keys(schema.properties ?? {});
  if (names.length === 0) return <p className="text-muted">{schema.description ?? kindInWords(schema)}</p>;
  return (
    <dl aria-label={label} className="panel divide-y divide-line">
      <Members schema={schema} depth={0} />
    </dl>
  );
}

function Members({ schema, depth }: { schema: Schema; depth: number }) {
  return Object.entries(schema.properties ?? {}).map(([name, member]) => {
    const inner = member.items?.properties ? member.items : member;
    return (
      <div key={name} className={cx('gap-x-4 py-2', depth === 0 ? 'grid px-3 sm:grid-cols-[14rem_1fr]' : 'pl-3')}>
        <dt className="font-mono text-sm break-words">
          {name}
          {(schema.required ?? []).includes(name) && <span className="font-sans text-xs text-fail"> {t.form.required}</span>}
        </dt>
        <dd className="min-w-0 text-sm">
          <span className="text-muted">{choicesOf(member) ?? kindInWords(member)}</span>
          {member.description && <span className="block">{member.description}</span>}
          {member.default !== undefined && <span className="block text-muted">{t.form.defaults(JSON.stringify(member.default))}</span>}
          {depth < 4 && isSchema(inner.properties) && (
            <dl className="mt-1 border-l border-line">
              <Members schema={inner} depth={depth + 1} />
            </dl>
          )}
        </dd>
      </div>
    );
  });
}

function choicesOf(schema: Schema): string | null {
  return schema.enum ? schema.enum.map((choice) => (typeof choice === 'string' ? choice : JSON.stringify(choice))).join(' | ') : null;
}
