import { useMutation } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { api, ApiError, ask, type Schemas } from '@/api/client';
import { t } from '@/i18n/en';
import { Button } from '@/ui/button';
import { Dialog } from '@/ui/dialog';
import { Checkbox, TextField } from '@/ui/field';
import { findingsAt, isSchema, type Schema } from '@/ui/schema';
import { SchemaForm, useSchemaForm } from '@/ui/schema-form';
import { FormProblem } from '@/ui/states';

type Integration = Schemas['Integration'];
type Connector = Schemas['Connector'];

export function IntegrationDialog({ connectors, integration, close, saved }: { connectors: Connector[]; integration: Integration | null; close: () => void; saved: (id: string) => void }) {
  const [chosen, setChosen] = useState<Connector | null>(() => connectors.find((one) => one.name === integration?.connector) ?? null);
  if (chosen) return <Settings key={chosen.name} connector={chosen} integration={integration} close={close} saved={saved} back={integration ? null : () => setChosen(null)} />;
  return (
    <Dialog open onClose={close} title={t.integrations.new} description={t.integrations.choose} footer={<Button onClick={close}>{t.common.cancel}</Button>}>
      <ul className="grid gap-2 pb-2 sm:grid-cols-2">
        {connectors.map((connector) => (
          <li key={connector.name}>
            <button type="button" onClick={() => setChosen(connector)} className="flex h-full w-full flex-col rounded-md border border-line px-3 py-2 text-left hover:border-strong hover:bg-hover">
              <span className="font-medium">{connector.title}</span>
              <span className="text-sm text-muted">{connector.summary}</span>
            </button>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}

function Settings({ connector, integration, close, saved, back }: { connector: Connector; integration: Integration | null; close: () => void; saved: (id: string) => void; back: (() => void) | null }) {
  const schema: Schema = isSchema(connector.config_schema) ? connector.config_schema : {};
  const form = useSchemaForm(schema, (integration?.config ?? {}) as Record<string, unknown>);
  const [name, setName] = useState(integration?.name ?? '');
  const [active, setActive] = useState(integration?.is_active ?? true);
  const [others, setOthers] = useState<{ name?: string; rest: string[] }>({ rest: [] });
  const element = useRef<HTMLFormElement>(null);
  const save = useMutation({
    mutationFn: () =>
      ask(
        integration
          ? api.PUT('/api/integrations/{integration_id}', { params: { path: { integration_id: integration.id } }, body: { name, config: form.value, is_active: active } })
          : api.POST('/api/integrations', { body: { connector: connector.name, name, config: form.value } }),
      ),
    onSuccess: (done) => saved(done.id),
    onError: (error) => {
      if (!(error instanceof ApiError)) return;
      const { inside, outside } = findingsAt('/config', error.problem.errors ?? []);
      const ofName = error.of('/name');
      form.refuse(inside);
      setOthers({ ...(ofName ? { name: ofName } : {}), rest: outside.filter((message) => message !== ofName) });
      requestAnimationFrame(() => element.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus());
    },
  });
  const placed = Object.keys(form.problems).length > 0 || others.name !== undefined;
  return (
    <Dialog
      open
      onClose={close}
      title={integration ? t.integrations.edit(integration.name) : t.integrations.create(connector.title)}
      description={connector.summary}
      footer={
        <>
          {back && (
            <Button kind="quiet" className="mr-auto" onClick={back}>
              {t.integrations.back}
            </Button>
          )}
          <Button onClick={close}>{t.common.cancel}</Button>
          <Button kind="primary" type="submit" form="integration" busy={save.isPending}>
            {t.integrations.saveAndTest}
          </Button>
        </>
      }
    >
      <form
        id="integration"
        ref={element}
        noValidate
        className="flex flex-col gap-3 pb-2"
        onSubmit={(event) => {
          event.preventDefault();
          setOthers(name ? { rest: [] } : { name: t.form.missing, rest: [] });
          if (form.ready(element.current) && name) save.mutate();
        }}
      >
        <TextField label={t.integrations.name} hint={t.integrations.nameHint} error={others.name} value={name} required autoComplete="off" spellCheck={false} onChange={(event) => setName(event.target.value)} />
        <SchemaForm schema={schema} value={form.value} onChange={form.change} problems={form.problems} />
        {integration && <Checkbox label={t.integrations.active} checked={active} onChange={(event) => setActive(event.target.checked)} />}
        {others.rest.length > 0 && <FormProblem error={new Error(others.rest.join('\n'))} />}
        {save.error && !placed && others.rest.length === 0 && <FormProblem error={save.error} />}
      </form>
    </Dialog>
  );
}
