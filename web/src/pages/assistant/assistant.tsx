import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { Sparkles } from 'lucide-react';
import { Suspense, useState } from 'react';
import { api, ApiError, ask, type Schemas } from '@/api/client';
import { scope, useMay } from '@/app/session';
import { t } from '@/i18n/en';
import { textOf } from '@/pages/workflow/text';
import { Button } from '@/ui/button';
import { Checkbox, Select, TextArea, TextField } from '@/ui/field';
import { count } from '@/ui/format';
import { Page, Section } from '@/ui/page';
import { part } from '@/ui/part';
import { Empty, FormProblem, Loading, ProblemView } from '@/ui/states';
import { Status } from '@/ui/status';
import { toast } from '@/ui/toast';

const DraftDiff = part(() => import('@/editor/draft-diff'));
type Workflow = Schemas['Workflow'];
type Draft = { reply: Schemas['DraftReply']; of: Workflow | null };

export function AssistantPage() {
  const writes = useMay('member');
  const providers = useQuery({ queryKey: [scope(), 'llm', 'providers'], queryFn: () => ask(api.GET('/api/llm/providers')) });
  const there = providers.data?.providers.filter((one) => one.available) ?? [];
  return (
    <Page title={t.assistant.title}>
      <p className="-mt-2 text-muted">{t.assistant.hint}</p>
      {providers.isPending && <Loading />}
      {providers.error && <ProblemView error={providers.error} retry={() => void providers.refetch()} />}
      {providers.data && (there.length === 0 || !writes) && <Empty title={t.assistant.none}>{t.assistant.noneHelp}</Empty>}
      {there.length > 0 && writes && <Ask providers={there} />}
    </Page>
  );
}

function Ask({ providers }: { providers: Schemas['ModelProvider'][] }) {
  const [what, setWhat] = useState('');
  const [provider, setProvider] = useState('');
  const [base, setBase] = useState('');
  // The model that the list names beside the provider is the one that is asked.
  const model = providers.find((one) => one.name === provider)?.model;
  const workflows = useQuery({ queryKey: [scope(), 'workflows', 'assistant'], queryFn: () => ask(api.GET('/api/workflows', { params: { query: { limit: 100, sort: 'name' } } })) });
  const draft = useMutation({
    mutationFn: async (): Promise<Draft> => {
      const of = base ? await ask(api.GET('/api/workflows/{workflow_id}', { params: { path: { workflow_id: base } } })) : null;
      const description = of ? t.assistant.change(what, textOf(of.definition)) : what;
      const reply = await ask(api.POST('/api/llm/generate-workflow', { body: { description, ...(provider ? { provider } : {}), ...(model ? { model } : {}) } }));
      return { reply, of };
    },
  });
  return (
    <>
      <form
        className="flex max-w-3xl flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          draft.mutate();
        }}
      >
        <TextArea label={t.assistant.what} required className="min-h-24" placeholder={t.assistant.example} value={what} onChange={(event) => setWhat(event.target.value)} />
        <div className="grid gap-3 sm:grid-cols-2">
          <Select
            label={t.assistant.start}
            value={base}
            onChange={(event) => setBase(event.target.value)}
            options={[{ value: '', label: t.assistant.blank }, ...(workflows.data?.items ?? []).map((one) => ({ value: one.id, label: one.name }))]}
          />
          <Select
            label={t.assistant.model}
            value={provider}
            onChange={(event) => setProvider(event.target.value)}
            options={[{ value: '', label: t.assistant.anyModel }, ...providers.map((one) => ({ value: one.name, label: one.model ? `${one.name} (${one.model})` : one.name }))]}
          />
        </div>
        <Button kind="primary" type="submit" className="self-start" busy={draft.isPending} disabled={what.trim() === ''}>
          <Sparkles className="size-4" aria-hidden="true" />
          {t.assistant.draft}
        </Button>
        <FormProblem error={draft.error} />
      </form>
      <output className="empty:hidden">{draft.isPending && <Status status="running" word={t.assistant.drafting} />}</output>
      {draft.data && !draft.isPending && <Drafted key={draft.submittedAt} draft={draft.data} />}
    </>
  );
}

function Drafted({ draft: { reply, of } }: { draft: Draft }) {
  const text = reply.definition ?? reply.rejected ?? '';
  return (
    <Section
      title={of ? t.assistant.diffOf(of.name) : t.assistant.diff}
      hint={[t.assistant.took(`${reply.provider}/${reply.model}`, count(reply.tokens_used), reply.rounds), ...(reply.scripted ? [t.assistant.scripted] : [])].join(' · ')}
    >
      {!reply.valid && (
        <div role="alert" className="panel p-3">
          <p className="font-medium text-fail">{t.assistant.given}</p>
          <p className="text-muted">{t.assistant.givenHelp}</p>
        </div>
      )}
      {typeof reply.explanation === 'string' && <p className="max-w-3xl whitespace-pre-line">{reply.explanation}</p>}
      {reply.findings.length > 0 && (
        <ul className="text-sm">
          {reply.findings.map((finding, at) => (
            <li key={at}>
              <span className={finding.severity === 'error' ? 'font-mono text-fail' : 'font-mono text-wait'}>
                {finding.line}:{finding.column}
              </span>{' '}
              {finding.message}
            </li>
          ))}
        </ul>
      )}
      {text && (
        <Suspense fallback={<Loading />}>
          <DraftDiff before={of ? textOf(of.definition) : ''} after={text} label={t.assistant.diffLabel} />
        </Suspense>
      )}
      {reply.definition && <Keep definition={reply.definition} of={of} />}
    </Section>
  );
}

/** The only thing here that saves. */
function Keep({ definition, of }: { definition: string; of: Workflow | null }) {
  const [name, setName] = useState(() => /^\s+name:\s*['"]?([\w.-]+)/m.exec(definition)?.[1] ?? '');
  const [inactive, setInactive] = useState(false);
  const navigate = useNavigate();
  const queries = useQueryClient();
  const save = useMutation({
    mutationFn: () =>
      ask(
        of
          ? api.PUT('/api/workflows/{workflow_id}', { params: { path: { workflow_id: of.id } }, body: { definition, expected_version: of.version } })
          : api.POST('/api/workflows', { body: { definition, is_active: !inactive, ...(name ? { name } : {}) } }),
      ),
    onSuccess: async (now) => {
      await queries.invalidateQueries({ queryKey: [scope(), 'workflows'] });
      toast.done(of ? t.editor.saved(now.version) : t.assistant.created);
      await navigate({ to: '/workflows/$workflowId', params: { workflowId: now.id } });
    },
  });
  const conflict = save.error instanceof ApiError && save.error.code === 'workflow.version_conflict';
  return (
    <form
      className="flex flex-wrap items-end gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate();
      }}
    >
      {!of && <TextField label={t.assistant.name} value={name} required onChange={(event) => setName(event.target.value)} />}
      {!of && <Checkbox label={t.assistant.inactive} hint={t.assistant.inactiveHint} checked={inactive} onChange={(event) => setInactive(event.target.checked)} />}
      <Button kind="primary" type="submit" busy={save.isPending}>
        {of ? t.assistant.save(of.version + 1) : t.assistant.create}
      </Button>
      <FormProblem error={conflict ? new Error(t.assistant.conflict) : save.error} />
    </form>
  );
}
