import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useBlocker, useNavigate } from '@tanstack/react-router';
import { ArrowDown, ArrowUp, FlaskConical, Pencil, Play, Plus, Save, Trash2 } from 'lucide-react';
import { Suspense, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { create } from 'zustand';
import { api, ask, type Schemas } from '@/api/client';
import { pluginsQuery } from '@/api/plugins';
import { storedQuery, workflowQuery } from '@/api/workflows';
import { scope, useMay } from '@/app/session';
import type { Graph as GraphData } from '@/graph/layout';
import { graphStore } from '@/graph/store';
import { t } from '@/i18n/en';
import { Button, IconButton } from '@/ui/button';
import { cx } from '@/ui/cx';
import { Dialog } from '@/ui/dialog';
import { code, layer, part } from '@/ui/part';
import { isSchema } from '@/ui/schema';
import { toast } from '@/ui/toast';
import { LARGE, useMedia } from '@/ui/use-media';
import { CodeEditor, type EditorHandle, type Finding } from './code-editor';
import type { Vocabulary } from './completion';
import { clearDraft, draftOf, keepDraft } from './draft';
import { isSamePlace, movedTo, placeOf } from './reference';
import type { Edit } from './text-edit';

const ExecuteDialog = layer(async () => ({ default: (await import('@/pages/workflow/execute')).ExecuteDialog }));
const TaskPalette = layer(() => import('./palette'));
const RenameDialog = layer(() => import('./rename-dialog'));
const SaveDialog = layer(() => import('./save-dialog'));
const TaskTest = part(() => import('./task-test'));
const Graph = part(async () => ({ default: (await import('@/graph/graph')).Graph }));

/** What knows the structure of the text is as large as all the rest of the page; the text can be read before it is there. */
const loadEdits = () => import('./text-edit');
type TextEdits = Awaited<ReturnType<typeof loadEdits>>;
/** For who changes something, and has to be told where it cannot be loaded. */
const textEdits = () => code(loadEdits);
/** For what follows the cursor and the choice: without it they go their own ways. */
const perhapsEdits = () => loadEdits().catch(() => null);

type Workflow = Schemas['Workflow'];
type Diagnosis = { findings: Finding[]; graph: GraphData | null };
/** A version as it is stored. */
type Stored = { id: string; version: number; text: string };

/** The server's own judgement of the text, when the hand rests: as it would be saved; of what is `frozen`, as it runs. */
function useDiagnosis(text: string, first: Stored | null, frozen: boolean): { diagnosis: Diagnosis | null; fresh: boolean; graph: GraphData | null; error: unknown } {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), 350);
    return () => clearTimeout(timer);
  }, [text]);
  const judged = useQuery({
    queryKey: [scope(), 'validate', settled],
    enabled: !frozen,
    queryFn: async ({ signal }) => (await ask(api.POST('/api/workflows/validate', { body: { definition: settled }, signal }))) as Schemas['Diagnosis'] & Diagnosis,
    staleTime: Infinity,
    placeholderData: (before) => before,
  });
  // What runs but could not be saved any more has a drawing all the same.
  const runs = first !== null && settled === first.text;
  const stored = useQuery({ ...storedQuery(first?.id ?? '', first?.version ?? 0), enabled: runs && (frozen || judged.data?.graph === null) });
  const query = frozen ? stored : judged;
  // While the text does not read, the picture stays what it was.
  const [last, setLast] = useState<GraphData | null>(null);
  const read = query.data?.graph ?? (runs ? stored.data?.graph : null);
  if (read && read !== last) setLast(read);
  return { diagnosis: query.data ?? null, fresh: settled === text && !query.isPlaceholderData, graph: read ?? last, error: query.error };
}

/** `at` is the reference of the task that is shown first. What is `frozen` can be looked at only. */
export function WorkflowEditor({ workflow, initial, at, frozen, onCreated }: { workflow?: Workflow; initial: string; at?: string; frozen?: Omit<Stored, 'text'>; onCreated?: (id: string) => void }) {
  const writes = useMay('member') && !frozen;
  const queries = useQueryClient();
  const navigate = useNavigate();
  const draftKey = workflow?.id ?? 'new';
  const [draft] = useState(() => (writes ? draftOf(draftKey, initial) : null));
  const [first] = useState(() => {
    const version = frozen ?? workflow;
    return version ? { id: version.id, version: version.version, text: initial } : null;
  });
  const [saved, setSaved] = useState(initial);
  const [text, setText] = useState(draft?.text ?? initial);
  const [base, setBase] = useState(draft?.version ?? workflow?.version ?? 0);
  // A store and not the component's own state: two keys may come before what the first one chose was drawn.
  const [choice] = useState(() => create<{ task: string | null }>(() => ({ task: at ?? null })));
  const selected = choice((now) => now.task);
  const choose = useCallback((task: string | null) => choice.setState({ task }), [choice]);
  const [panel, setPanel] = useState<'text' | 'graph'>('text');
  // Where one of them is shown at a time, the drawing is not made before it is looked at.
  const drawn = useMedia(LARGE) || panel === 'graph';
  const [saving, setSaving] = useState(false);
  const [running, setRunning] = useState<'run' | 'dry' | null>(null);
  const [adding, setAdding] = useState(false);
  const [testing, setTesting] = useState(false);
  /** The name that is being changed. */
  const [renaming, setRenaming] = useState<string | null>(null);
  const editor = useRef<EditorHandle>(null);
  const { diagnosis, fresh, graph, error } = useDiagnosis(text, first, !!frozen);
  // All that can be called is the largest answer of the page; it helps who writes, and may come when the text is there to be read.
  const [read, setRead] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setRead(true), 1500);
    return () => clearTimeout(timer);
  }, []);
  const functions = useQuery({ ...pluginsQuery(), enabled: read || adding });
  const [store] = useState(graphStore);
  const dirty = text !== saved;
  const findings = useMemo(() => diagnosis?.findings ?? [], [diagnosis]);
  const errors = findings.filter((finding) => finding.severity === 'error').length;

  useEffect(() => {
    if (dirty) keepDraft(draftKey, text, base);
    else clearDraft(draftKey);
  }, [dirty, draftKey, text, base]);
  // Whoever writes will want to save it, and may have no connection by then.
  useEffect(() => {
    if (dirty) SaveDialog.preload();
  }, [dirty]);
  const left = useBlocker({ shouldBlockFn: () => dirty, enableBeforeUnload: () => dirty, withResolver: true });

  useEffect(() => {
    const counts: Record<string, number> = {};
    for (const finding of findings) {
      const owner = graph?.nodes.filter((node) => finding.pointer.startsWith(node.id)).sort((a, b) => b.id.length - a.id.length)[0];
      if (owner) counts[owner.id] = (counts[owner.id] ?? 0) + 1;
    }
    store.setState({ findings: counts });
  }, [findings, graph, store]);

  const vocabulary = useMemo(
    (): Vocabulary => ({
      functions: (functions.data?.items ?? []).map(({ name, description, parameters }) => ({ name, description, parameters: isSchema(parameters) ? parameters : {} })),
      tasks: [...new Set(graph?.nodes.map((node) => node.name) ?? [])],
    }),
    [functions.data, graph],
  );
  const show = useCallback(async (id: string) => {
    const edits = await perhapsEdits();
    const range = editor.current && edits?.rangeOfTask(editor.current.text(), id);
    if (range) editor.current?.goTo(range[0]);
  }, []);
  const select = useCallback(
    (id: string | null) => {
      choose(id);
      if (id) void show(id);
    },
    [choose, show],
  );
  useEffect(() => {
    if (at) void show(at);
  }, [at, show]);
  const references = useRef<string[]>([]);
  useEffect(() => {
    references.current = graph?.nodes.map((node) => node.id) ?? [];
  }, [graph]);
  const cursor = useRef(0);
  const onCursor = useCallback(async (offset: number) => {
    cursor.current = offset;
    const edits = await perhapsEdits();
    if (cursor.current !== offset) return;
    const found = editor.current && edits?.taskAt(editor.current.text(), offset, references.current);
    if (found) choose(found);
  }, [choose]);
  // What is chosen keeps its place where another task came to stand there, as after a move; its reference is that of the text before.
  useEffect(() => {
    const stands = graph?.nodes ?? [];
    const now = choice.getState().task;
    if (!now || stands.length === 0 || stands.some((node) => node.id === now)) return;
    choose(stands.find((node) => isSamePlace(node.id, now))?.id ?? null);
  }, [graph, selected, choice, choose]);
  const edit = (make: (edits: TextEdits, now: string) => Edit | null, done?: () => void) => {
    textEdits()
      .then((edits) => {
        const change = editor.current && make(edits, editor.current.text());
        if (!change) return toast.failed(new Error(t.editor.byHand));
        editor.current?.apply(change);
        done?.();
      })
      .catch(toast.failed);
  };
  const place = selected ? placeOf(selected) : null;
  const list = place?.list ?? (/^tasks:/m.test(text) ? ['tasks'] : ['do']);
  const insert = (task: unknown) => {
    setAdding(false);
    edit((edits, now) => edits.insertItem(now, list, place ? place.index + 1 : Number.MAX_SAFE_INTEGER, task));
  };
  const move = (by: 1 | -1) => {
    const reference = choice.getState().task;
    const from = reference ? placeOf(reference) : null;
    if (!writes || !reference || !from || from.index + by < 0) return false;
    // The cursor goes along, so that the same key moves the same task further.
    edit(
      (edits, now) => edits.moveItem(now, from.list, from.index, from.index + by),
      () => {
        cursor.current = -1; // where the edit put it is not meant
        select(movedTo(reference, from.index + by));
      },
    );
    return true;
  };
  const nameOf = (reference: string) => graph?.nodes.find((node) => node.id === reference)?.name ?? '';
  const beginRename = async () => {
    const { nameOfTask } = await textEdits();
    // Of the text: just after a move the graph is still that of the one before.
    const { task } = choice.getState();
    const now = task ? placeOf(task) : null;
    if (now && editor.current) setRenaming(nameOfTask(editor.current.text(), now.list, now.index));
  };
  const rename = async (now: string) => {
    const { renameTask } = await textEdits();
    const edits = place && editor.current && renameTask(editor.current.text(), place.list, place.index, now);
    if (!edits) return t.editor.nameTaken;
    editor.current?.applyAll(edits);
    return undefined;
  };
  const test = (on: boolean) => {
    setTesting(on);
    if (on) setPanel('graph');
  };
  const keys = {
    'Mod-Enter': () => {
      if (!writes || !place || errors > 0) return false;
      test(true);
      return true;
    },
    'Mod-Shift-Enter': () => {
      if (!writes || !workflow) return false;
      if (dirty) toast.failed(new Error(t.editor.saveFirst));
      else setRunning('dry');
      return true;
    },
    F2: () => {
      if (!writes || !place) return false;
      beginRename().catch(toast.failed);
      return true;
    },
    'Alt-ArrowUp': () => move(-1),
    'Alt-ArrowDown': () => move(1),
    'Mod-.': () => {
      const line = editor.current?.line() ?? 0;
      const proposal = fresh && writes ? findings.find((finding) => finding.suggestion && finding.line === line) : undefined;
      if (proposal) editor.current?.replaceAt(proposal.line, proposal.column, proposal.suggestion ?? '');
      return proposal !== undefined;
    },
  };
  const done = (now: Workflow) => {
    setSaved(text);
    setBase(now.version);
    setSaving(false);
    clearDraft(draftKey);
    queries.setQueryData(workflowQuery(now.id).queryKey, now);
    void queries.invalidateQueries({ queryKey: [scope(), 'workflows'] });
    toast.done(workflow ? t.editor.saved(now.version) : t.editor.created);
    onCreated?.(now.id);
  };

  return (
    <div className="flex h-full min-h-[70dvh] flex-col">
      <div className="flex flex-wrap items-center gap-1.5 border-b border-line px-3 py-1.5 md:px-6 max-sm:[&_button]:px-2">
        {writes && (
          <>
            <Button kind="quiet" className="px-2!" onClick={() => setAdding(true)}>
              <Plus className="size-4" aria-hidden="true" />
              {t.editor.add}
            </Button>
            <IconButton label={t.editor.up} disabled={!place || place.index === 0} onClick={() => move(-1)}>
              <ArrowUp className="size-4" aria-hidden="true" />
            </IconButton>
            <IconButton label={t.editor.down} disabled={!place} onClick={() => move(1)}>
              <ArrowDown className="size-4" aria-hidden="true" />
            </IconButton>
            <IconButton label={t.editor.rename} disabled={!place} onClick={() => void beginRename().catch(toast.failed)}>
              <Pencil className="size-4" aria-hidden="true" />
            </IconButton>
            <IconButton label={t.editor.remove} disabled={!place} onClick={() => place && edit((edits, now) => edits.deleteItem(now, place.list, place.index))}>
              <Trash2 className="size-4" aria-hidden="true" />
            </IconButton>
            <IconButton
              label={t.editor.test}
              className="aria-pressed:bg-hover aria-pressed:text-fg"
              disabled={!place || errors > 0}
              aria-pressed={testing}
              onClick={() => test(!testing)}
            >
              <FlaskConical className="size-4" aria-hidden="true" />
            </IconButton>
          </>
        )}
        <output className={cx('ml-1 text-sm', errors > 0 ? 'text-fail' : 'text-muted')}>
          {error ? t.editor.unchecked : !diagnosis ? t.editor.checking : findings.length === 0 ? t.editor.clean : t.editor.findings(findings.length)}
        </output>
        <div className="ml-auto flex flex-wrap items-center justify-end gap-2">
          <div role="group" aria-label={t.editor.view} className="flex rounded-md border border-line lg:hidden">
            {(['text', 'graph'] as const).map((name) => (
              <button key={name} type="button" aria-pressed={panel === name} onClick={() => setPanel(name)} className="h-8 rounded-md px-3 aria-pressed:bg-hover aria-pressed:font-medium">
                {t.editor[name]}
              </button>
            ))}
          </div>
          {workflow && writes && (
            <>
              <Button onClick={() => setRunning('dry')} disabled={dirty} title={dirty ? t.editor.saveFirst : undefined}>
                {t.execute.dry}
              </Button>
              <Button onClick={() => setRunning('run')} disabled={dirty} title={dirty ? t.editor.saveFirst : undefined}>
                <Play className="size-4" aria-hidden="true" />
                {t.workflows.run}
              </Button>
            </>
          )}
          {writes && (
            <Button kind="primary" disabled={(!dirty && !!workflow) || errors > 0} onClick={() => setSaving(true)}>
              <Save className="size-4" aria-hidden="true" />
              {t.common.save}
            </Button>
          )}
        </div>
      </div>
      {draft && dirty && (
        <div className="flex flex-wrap items-center gap-2 border-b border-line bg-subtle px-4 py-1.5 text-sm md:px-6">
          <span>{t.editor.draft}</span>
          <button
            type="button"
            className="link"
            onClick={() => editor.current?.apply({ from: 0, to: editor.current.text().length, insert: saved })}
          >
            {t.editor.discard}
          </button>
        </div>
      )}
      <div className="grid min-h-0 flex-1 grid-cols-1 lg:grid-cols-2">
        <div className={cx('flex min-h-96 min-w-0 flex-col border-line lg:flex lg:border-r', panel !== 'graph' && 'max-lg:hidden')}>
          <div className="min-h-48 flex-1">
            {!drawn ? null : graph ? (
              <Suspense fallback={<p className="p-6 text-muted">{t.common.loading}</p>}>
                <Graph graph={graph} store={store} selected={selected} onSelect={select} label={t.editor.graphLabel} dimmed={diagnosis !== null && !diagnosis.graph} />
              </Suspense>
            ) : (
              <p className="p-6 text-muted">{diagnosis ? t.editor.noGraph : t.editor.checking}</p>
            )}
          </div>
          {testing && place && selected && (
            <Suspense>
              <TaskTest key={selected} workflow={workflow} text={text} saved={!dirty} task={selected} name={nameOf(selected)} close={() => setTesting(false)} />
            </Suspense>
          )}
        </div>
        <div className={cx('flex min-h-96 min-w-0 flex-col lg:flex', panel !== 'text' && 'max-lg:hidden')}>
          <div className="min-h-0 flex-1">
            <CodeEditor
              handle={editor}
              initial={text}
              label={t.editor.yaml}
              findings={findings}
              vocabulary={vocabulary}
              readOnly={!writes}
              onChange={setText}
              onCursor={(offset) => void onCursor(offset)}
              onSave={() => dirty && errors === 0 && setSaving(true)}
              keys={keys}
            />
          </div>
          {findings.length > 0 && (
            <section aria-label={t.editor.problems} className="max-h-40 overflow-auto border-t border-line bg-subtle py-1" tabIndex={0}>
              <ul>
                {findings.map((finding, index) => (
                  <li key={index} className="flex items-baseline pr-2 hover:bg-hover">
                    <button
                      type="button"
                      className="flex min-w-0 flex-1 items-baseline gap-2 px-3 py-1 text-left text-sm"
                      onClick={() => editor.current?.goToLine(finding.line, finding.column)}
                    >
                      <span className={cx('shrink-0 font-mono text-xs', finding.severity === 'error' ? 'text-fail' : 'text-wait')}>
                        {finding.line}:{finding.column}
                      </span>
                      <span className="min-w-0">{finding.message}</span>
                    </button>
                    {finding.suggestion && writes && (
                      <button
                        type="button"
                        className="link min-h-6 shrink-0 text-sm"
                        // Where it stood in an older text something else may stand now.
                        disabled={!fresh}
                        onClick={() => editor.current?.replaceAt(finding.line, finding.column, finding.suggestion ?? '')}
                      >
                        {t.editor.replaceWith(finding.suggestion)}
                      </button>
                    )}
                  </li>
                ))}
              </ul>
            </section>
          )}
        </div>
      </div>
      {adding && (
        <Suspense>
          <TaskPalette functions={functions.data?.items ?? []} taken={vocabulary.tasks} list={list} insert={insert} close={() => setAdding(false)} />
        </Suspense>
      )}
      {renaming !== null && place && (
        <Suspense>
          <RenameDialog name={renaming} rename={rename} close={() => setRenaming(null)} />
        </Suspense>
      )}
      {saving && (
        <Suspense>
          <SaveDialog workflow={workflow} text={text} base={base} close={() => setSaving(false)} done={done} />
        </Suspense>
      )}
      {running && workflow && (
        <Suspense>
          <ExecuteDialog workflow={workflow} dry={running === 'dry'} close={() => setRunning(null)} started={(id) => void navigate({ to: '/runs/$runId', params: { runId: id } })} />
        </Suspense>
      )}
      <Dialog
        open={left.status === 'blocked'}
        onClose={() => left.reset?.()}
        title={t.editor.leave}
        description={t.editor.leaveHelp}
        footer={
          <>
            <Button onClick={() => left.reset?.()}>{t.editor.stay}</Button>
            <Button kind="primary" onClick={() => left.proceed?.()}>
              {t.editor.go}
            </Button>
          </>
        }
      >
        {null}
      </Dialog>
    </div>
  );
}
