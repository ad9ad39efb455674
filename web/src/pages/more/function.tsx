import { useMutation, useQuery } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import { useRef, useState } from 'react';
import { stringify } from 'yaml';
import { api, ApiError, ask } from '@/api/client';
import { permissionsOf, type Plugin, pluginsQuery } from '@/api/plugins';
import { useMay } from '@/app/session';
import { t } from '@/i18n/en';
import { Manifest } from '@/pages/workflow/reach';
import { Button } from '@/ui/button';
import { JsonView } from '@/ui/json-view';
import { Page, Section } from '@/ui/page';
import { findingsAt, isSchema, type Schema } from '@/ui/schema';
import { SchemaDocs } from '@/ui/schema-docs';
import { useSchemaForm } from '@/ui/schema-form';
import { SchemaInput } from '@/ui/schema-input';
import { Empty, FormProblem, Loading, ProblemView } from '@/ui/states';
import { Badge } from '@/ui/status';
import { Effects } from './functions';

type Example = Record<string, unknown>;
const schemaOf = (value: unknown): Schema => (isSchema(value) ? value : {});
const examplesOf = (item: Plugin): Example[] => (Array.isArray(item.examples) ? (item.examples as Example[]) : []);

export function FunctionPage() {
  const { name } = useParams({ from: '/inside/functions/$name' });
  const list = useQuery(pluginsQuery());
  const item = list.data?.items.find((one) => one.name === name);
  return (
    <Page
      title={name}
      heading={
        <span className="flex flex-wrap items-center gap-x-2">
          <Link to="/functions" className="font-normal text-muted hover:underline">
            {t.functions.title}
          </Link>
          <span aria-hidden="true" className="font-normal text-muted">
            /
          </span>
          <span className="font-mono">{name}</span>
        </span>
      }
    >
      {list.isPending && <Loading />}
      {list.error && <ProblemView error={list.error} retry={() => void list.refetch()} />}
      {list.data && !item && <Empty title={t.functions.unknown} />}
      {item && <Documentation key={name} item={item} />}
    </Page>
  );
}

function Documentation({ item }: { item: Plugin }) {
  const executes = useMay('member');
  const examples = examplesOf(item);
  const [given, setGiven] = useState<{ at: number; value: Example }>({ at: -1, value: {} });
  const permissions = permissionsOf(item);
  return (
    <>
      <div className="-mt-2 flex flex-wrap items-center gap-x-3 gap-y-1">
        <p className="text-muted">{item.description}</p>
        <Effects effects={item.effects} destructive={item.destructive} />
        {permissions && (
          <>
            <Badge title={t.functions.oursHelp}>{t.functions.ours}</Badge>
            <Badge>{t.functions.version(item.version)}</Badge>
          </>
        )}
      </div>
      <ul className="text-sm text-muted">
        {item.effects.map((effect) => (
          <li key={effect}>
            {t.functions.effects[effect]}: {t.functions.effectHelp[effect]}
          </li>
        ))}
        {item.destructive && (
          <li>
            {t.functions.destructive}: {t.functions.destructiveHelp}
          </li>
        )}
        {item.needs.length > 0 && (
          <li>
            {t.functions.needs}: {item.needs.map((need) => t.functions.needNames[need]).join(', ')}
          </li>
        )}
      </ul>
      {permissions && (
        <Section title={t.functions.reach} hint={t.functions.reachHelp}>
          <Manifest capabilities={permissions} />
        </Section>
      )}
      <div className="grid items-start gap-6 lg:grid-cols-2">
        <div className="flex min-w-0 flex-col gap-6">
          <Section title={t.functions.parameters}>
            <SchemaDocs schema={schemaOf(item.parameters)} label={t.functions.parameters} />
          </Section>
          <Section title={t.functions.output}>
            <SchemaDocs schema={schemaOf(item.output)} label={t.functions.output} />
          </Section>
        </div>
        <div className="flex min-w-0 flex-col gap-6">
          {executes && <TryOut key={given.at} item={item} initial={given.value} />}
          <Section title={t.functions.examples}>
            {examples.length === 0 && <p className="text-muted">{t.functions.noExamples}</p>}
            {examples.map((example, at) => (
              <div key={at} className="panel flex flex-col gap-2 p-3">
                <pre tabIndex={0} aria-label={t.functions.example(at + 1)} className="overflow-x-auto font-mono text-sm">
                  {stringify({ call: item.name, with: example }, { lineWidth: 80 })}
                </pre>
                {executes && (
                  <Button className="self-start" aria-label={t.functions.tryExample(at + 1)} onClick={() => setGiven({ at, value: example })}>
                    {t.functions.try}
                  </Button>
                )}
              </div>
            ))}
          </Section>
        </div>
      </div>
    </>
  );
}

/** What a call would do, said by the function itself; nothing is done. */
function TryOut({ item, initial }: { item: Plugin; initial: Example }) {
  const schema = schemaOf(item.parameters);
  const form = useSchemaForm(schema, initial);
  const element = useRef<HTMLFormElement>(null);
  const test = useMutation({
    mutationFn: () => ask(api.POST('/api/plugins/{name}/test', { params: { path: { name: item.name } }, body: { params: form.value } })),
    onError: (error) => {
      if (error instanceof ApiError) form.refuse(findingsAt('/params', error.problem.errors ?? []).inside);
    },
  });
  return (
    <Section title={t.functions.tryOut} hint={t.functions.tryOutHint}>
      <form
        ref={element}
        noValidate
        className="panel flex flex-col gap-3 p-4"
        onSubmit={(event) => {
          event.preventDefault();
          if (form.ready(element.current)) test.mutate();
        }}
      >
        <SchemaInput schema={schema} value={form.value} onChange={form.change} problems={form.problems} label={t.functions.parameters} hidden={['allow_destructive', 'dry_run']} />
        {test.error && Object.keys(form.problems).length === 0 && <FormProblem error={test.error} />}
        <Button kind="primary" type="submit" className="self-start" busy={test.isPending}>
          {t.functions.plan}
        </Button>
        <output>
          {test.data && (
            <div className="flex flex-col gap-2 border-t border-line pt-3">
              <p className="flex flex-wrap items-center gap-2">
                {t.functions.wouldDo} <Badge>{t.functions.effects[test.data.effect]}</Badge>
              </p>
              <JsonView value={test.data.plan} label={t.functions.planLabel} />
            </div>
          )}
        </output>
      </form>
    </Section>
  );
}
