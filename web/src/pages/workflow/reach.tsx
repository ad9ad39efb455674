// What a workflow can reach, read out of its definition: the capability manifest, and what changes in it from version to version.
import { Link } from '@tanstack/react-router';
import type { Schemas } from '@/api/client';
import { t } from '@/i18n/en';

type Capabilities = Schemas['Capabilities'];
type Kind = keyof typeof t.reach.kinds;
type Part = { kind: Kind; items: Schemas['Capability'][] };

/** The kinds that there is something of. What may destroy stands first. */
function partsOf({ paths, ...others }: Capabilities): Part[] {
  const all: Record<Kind, Schemas['Capability'][]> = { ...others, ...paths };
  const kinds = Object.keys(t.reach.kinds) as Kind[];
  return ['destructive' as const, ...kinds.filter((kind) => kind !== 'destructive')].map((kind) => ({ kind, items: all[kind] })).filter((part) => part.items.length > 0);
}

/** The last name in a reference: `/do/1/fetch` is fetch. */
const nameOf = (reference: string) => reference.slice(reference.lastIndexOf('/') + 1);

/** With the tasks that reach it, where they are tasks of a version of a workflow. */
export function Manifest({ capabilities, of }: { capabilities: Capabilities; of?: { workflowId: string; version: number } }) {
  const parts = partsOf(capabilities);
  if (parts.length === 0) return <p className="text-muted">{t.reach.nothing}</p>;
  return (
    <div className="panel divide-y divide-line">
      {parts.map(({ kind, items }) => (
        <section key={kind} className="grid gap-x-4 gap-y-1 px-4 py-3 sm:grid-cols-[10rem_1fr]">
          <h3 className={kind === 'destructive' ? 'font-medium text-fail' : 'font-medium'}>{t.reach.kinds[kind]}</h3>
          <ul className="flex min-w-0 flex-col gap-1">
            {items.map((item) => (
              <li key={item.name} className="flex flex-wrap items-baseline gap-x-3">
                <span className="font-mono text-sm break-all">{item.name}</span>
                <span className="text-sm text-muted">
                  {item.tasks.map((task, at) => (
                    <span key={task}>
                      {at > 0 && ', '}
                      {of ? (
                        <Link to="/workflows/$workflowId" params={{ workflowId: of.workflowId }} search={{ at: task, version: String(of.version) }} className="hover:underline">
                          {nameOf(task)}
                        </Link>
                      ) : (
                        nameOf(task)
                      )}
                    </span>
                  ))}
                </span>
              </li>
            ))}
          </ul>
        </section>
      ))}
    </div>
  );
}

/** What a version can reach that the other could not, and the other way round. */
export function ReachChange({ change }: { change: Schemas['CapabilityChange'] }) {
  return (
    <>
      <Names title={t.reach.more} parts={partsOf(change.added)} sign="+" tone="text-wait" />
      <Names title={t.reach.less} parts={partsOf(change.removed)} sign="−" tone="text-muted" />
    </>
  );
}

function Names({ title, parts, sign, tone }: { title: string; parts: Part[]; sign: string; tone: string }) {
  if (parts.length === 0) return null;
  return (
    <section className="panel px-3 py-2">
      <h3 className={`font-medium ${tone}`}>{title}</h3>
      <ul className="text-sm">
        {parts.flatMap(({ kind, items }) =>
          items.map((item) => (
            <li key={`${kind} ${item.name}`} className="flex gap-2">
              <span aria-hidden="true" className={tone}>
                {sign}
              </span>
              <span className="text-muted">{t.reach.kinds[kind]}</span>
              <span className="min-w-0 font-mono break-all">{item.name}</span>
            </li>
          )),
        )}
      </ul>
    </section>
  );
}
