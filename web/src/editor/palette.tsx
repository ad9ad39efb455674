// Chooses what to insert: the forms of the language as they are, functions with a form for their arguments.
import { ArrowLeft } from 'lucide-react';
import { type ReactNode, useRef, useState } from 'react';
import { stringify } from 'yaml';
import { permissionsOf, type Plugin } from '@/api/plugins';
import { t } from '@/i18n/en';
import { Effects } from '@/pages/more/functions';
import { Manifest } from '@/pages/workflow/reach';
import { Button } from '@/ui/button';
import { Dialog } from '@/ui/dialog';
import { TextField } from '@/ui/field';
import { isSchema, type Schema } from '@/ui/schema';
import { SchemaForm, useSchemaForm } from '@/ui/schema-form';
import { calledTask, freeName, nameFor, TEMPLATES, templateTask } from './templates';
import type { Path } from './text-edit';

type Props = { functions: readonly Plugin[]; taken: readonly string[]; list: Path; insert: (task: unknown) => void; close: () => void };

export default function TaskPalette(props: Props) {
  const [chosen, setChosen] = useState<Plugin | null>(null);
  return chosen ? <Arguments {...props} item={chosen} back={() => setChosen(null)} /> : <Choices {...props} choose={setChosen} />;
}

function Choices({ functions, taken, list, insert, close, choose }: Props & { choose: (item: Plugin) => void }) {
  const [words, setWords] = useState('');
  const fits = (text: string) => text.toLowerCase().includes(words.trim().toLowerCase());
  // Task lists have functions only: `type:` names one.
  const templates = list[0] === 'tasks' ? [] : TEMPLATES.filter((one) => fits(`${one.kind} ${one.about}`));
  const items = functions.filter((one) => !one.name.startsWith('run.') && fits(`${one.name} ${one.description}`));
  return (
    <Dialog open onClose={close} wide title={t.editor.add} description={t.editor.addHelp}>
      <div className="flex flex-col gap-3 pb-3">
        <input type="search" className="input" aria-label={t.functions.search} placeholder={t.common.search} value={words} onChange={(event) => setWords(event.target.value)} />
        {templates.length > 0 && (
          <Group label={t.editor.control}>
            {templates.map((one) => (
              <Choice key={one.kind} name={one.kind} about={one.about} onClick={() => insert(templateTask(one.kind, taken))} />
            ))}
          </Group>
        )}
        {items.length > 0 && (
          <Group label={t.functions.title}>
            {items.map((one) => (
              <Choice key={one.name} name={one.name} about={one.description} onClick={() => choose(one)} />
            ))}
          </Group>
        )}
        {templates.length + items.length === 0 && <p className="py-6 text-center text-muted">{t.palette.empty}</p>}
      </div>
    </Dialog>
  );
}

function Group({ label, children }: { label: string; children: ReactNode }) {
  return (
    <section className="flex flex-col gap-1.5">
      <h3 className="text-xs font-medium text-muted">{label}</h3>
      <ul className="grid gap-1.5 sm:grid-cols-2">{children}</ul>
    </section>
  );
}

function Choice({ name, about, onClick }: { name: string; about: string; onClick: () => void }) {
  return (
    <li>
      <button type="button" onClick={onClick} className="flex h-full w-full flex-col rounded-md border border-line px-3 py-2 text-left hover:border-strong hover:bg-hover">
        <span className="font-mono text-sm font-medium">{name}</span>
        <span className="text-sm text-muted">{about}</span>
      </button>
    </li>
  );
}

function Arguments({ item, taken, list, insert, close, back }: Props & { item: Plugin; back: () => void }) {
  const schema: Schema = isSchema(item.parameters) ? item.parameters : {};
  const [name, setName] = useState(() => freeName(nameFor(item.name), taken));
  const form = useSchemaForm(schema, {}, true);
  const element = useRef<HTMLFormElement>(null);
  const wrong = !/^[A-Za-z_][\w-]*$/.test(name) ? t.editor.nameForm : taken.includes(name) ? t.editor.nameTaken : undefined;
  const task = calledTask(item.name, name, form.value, list);
  const permissions = permissionsOf(item);
  const example = Array.isArray(item.examples) ? (item.examples[0] as Record<string, unknown> | undefined) : undefined;
  return (
    <Dialog
      open
      onClose={close}
      wide
      title={t.editor.addCall(item.name)}
      description={item.description}
      footer={
        <>
          <Button kind="quiet" className="mr-auto" onClick={back}>
            <ArrowLeft className="size-4" aria-hidden="true" />
            {t.common.back}
          </Button>
          <Button onClick={close}>{t.common.cancel}</Button>
          <Button kind="primary" type="submit" form="task">
            {t.editor.insert}
          </Button>
        </>
      }
    >
      <div className="grid gap-4 pb-2 md:grid-cols-2">
        <form
          id="task"
          ref={element}
          noValidate
          className="flex min-w-0 flex-col gap-3"
          onSubmit={(event) => {
            event.preventDefault();
            if (form.ready(element.current) && !wrong) insert(task);
          }}
        >
          <TextField label={t.graph.task} error={wrong} value={name} spellCheck={false} autoComplete="off" onChange={(event) => setName(event.target.value)} />
          <SchemaForm schema={schema} value={form.value} onChange={form.change} problems={form.problems} expressions />
        </form>
        <div className="flex min-w-0 flex-col gap-2">
          <Effects effects={item.effects} destructive={item.destructive} />
          {permissions && (
            <section aria-label={t.functions.reach} className="flex flex-col gap-1.5">
              <h3 className="text-sm font-medium">{t.functions.reach}</h3>
              <Manifest capabilities={permissions} />
            </section>
          )}
          <p className="text-sm text-muted">{t.editor.expressionHint}</p>
          {example && (
            <Button className="self-start" onClick={() => form.change(example)}>
              {t.editor.fillExample}
            </Button>
          )}
          <h3 className="text-sm font-medium">{t.editor.preview}</h3>
          <pre tabIndex={0} aria-label={t.editor.preview} className="panel overflow-x-auto p-3 font-mono text-sm">
            {stringify([task], { lineWidth: 0 })}
          </pre>
        </div>
      </div>
    </Dialog>
  );
}
