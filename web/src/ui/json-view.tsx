import { useVirtualizer } from '@tanstack/react-virtual';
import { ChevronRight } from 'lucide-react';
import { type KeyboardEvent, type MouseEvent, useCallback, useEffect, useId, useMemo, useRef, useState } from 'react';
import { t } from '@/i18n/en';
import { CopyButton } from './copy-button';
import { cx } from './cx';
import { bytes } from './format';
import { Absent, isList, type JsonRow, MEMBERS, type Opened, type Part, type Parts, rowsOf, untouched, weightOf } from './json-rows';
import { toast } from './toast';

const LINE = 24;
/** What is shown before the first part of a value has come. */
const WAITING = Symbol('waiting');
const pretty = (value: unknown) => JSON.stringify(value, null, 2) ?? 'null';

/** Where a value comes from that is too large to be here: by JSON pointers into it. */
export type Source = {
  root: () => Promise<{ value: unknown; members: [string, unknown][] }>;
  members: (pointer: string, offset: number) => Promise<[string, unknown][]>;
  text: (pointer: string) => Promise<string>;
  all: () => Promise<unknown>;
};

type Props = { label: string } & ({ value: unknown } | { source: Source; size: number });

/** A value as a tree that opens where one looks. Only the lines in view are in the page, whatever the size of the value. */
export function JsonView(props: Props) {
  const { label } = props;
  const source = 'source' in props ? props.source : null;
  const [first] = useState(source);
  const [root, setRoot] = useState<unknown>(WAITING);
  const [parts, setParts] = useState<Parts>(new Map());
  const [asked, setAsked] = useState<ReadonlySet<string>>(new Set());
  const value = 'value' in props ? props.value : root;
  const [opened, setOpened] = useState<Opened>(untouched);
  const [active, setActive] = useState(0);
  const place = useRef<HTMLDivElement>(null);
  const id = useId();
  const rows = useMemo(() => rowsOf(value, opened, parts), [value, opened, parts]);
  const given = 'size' in props ? props.size : null;
  const weight = useMemo(() => given ?? weightOf(value), [given, value]);
  const at = Math.min(active, rows.length - 1);
  // Another function each time would have the places of all lines computed anew at each movement.
  const getItemKey = useCallback((index: number) => rows[index]?.path ?? index, [rows]);
  // oxlint-disable-next-line react/incompatible-library -- this component keeps nothing that the library could make stale
  const lines = useVirtualizer({ count: rows.length, getScrollElement: () => place.current, estimateSize: () => LINE, overscan: 12, getItemKey });

  const visible = lines.getVirtualItems();
  /** Asks for more of what is not here, once at a time for each place. */
  const fetch = (path: string, work: (known: Part | undefined) => Promise<Part>) => {
    if (asked.has(path)) return;
    setAsked((before) => new Set(before).add(path));
    void work(parts.get(path))
      .then((part) => setParts((before) => new Map(before).set(path, part)))
      .catch((error: unknown) => toast.failed(error))
      .finally(() => setAsked((before) => new Set([...before].filter((one) => one !== path))));
  };
  const more = (path: string) =>
    fetch(path, async (known) => {
      const members = known && 'members' in known ? known.members : [];
      return { members: [...members, ...((await source?.members(path, members.length)) ?? [])] };
    });
  useEffect(() => {
    void first
      ?.root()
      .then(({ value: whole, members }) => {
        if (members.length > 0) setParts(new Map([['', { members }]]));
        setRoot(() => whole);
      })
      .catch((error: unknown) => toast.failed(error));
  }, [first]);
  const toggle = (row: JsonRow) => {
    if (row.more !== undefined && row.absent) return more(row.name ?? '');
    if (row.value instanceof Absent && row.value.kind === 'string') return fetch(row.path, async () => ({ text: (await source?.text(row.path)) ?? '' }));
    if (row.value instanceof Absent && row.open === false && !parts.has(row.path)) more(row.path);
    if (row.more !== undefined) {
      const path = row.name ?? '';
      setOpened(({ toggled, shown }) => ({ toggled, shown: new Map(shown).set(path, (shown.get(path) ?? MEMBERS) + MEMBERS) }));
    } else if (row.size !== undefined) {
      setOpened(({ toggled, shown }) => {
        const now = new Set(toggled);
        if (!now.delete(row.path)) now.add(row.path);
        return { toggled: now, shown };
      });
    }
  };
  const go = (to: number) => {
    const next = Math.max(0, Math.min(rows.length - 1, to));
    setActive(next);
    lines.scrollToIndex(next);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const row = rows[at];
    if (!row || event.target !== event.currentTarget || event.ctrlKey || event.metaKey || event.altKey) return;
    const parent = () => rows.findLastIndex((other, index) => index < at && other.depth < row.depth);
    const acts: Record<string, () => void> = {
      ArrowDown: () => go(at + 1),
      ArrowUp: () => go(at - 1),
      Home: () => go(0),
      End: () => go(rows.length - 1),
      PageDown: () => go(at + 12),
      PageUp: () => go(at - 12),
      ArrowRight: () => (row.open === false ? toggle(row) : go(at + 1)),
      ArrowLeft: () => (row.open ? toggle(row) : go(parent())),
      Enter: () => toggle(row),
      ' ': () => toggle(row),
    };
    const act = acts[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  };
  const onClick = (event: MouseEvent) => {
    const line = (event.target as Element).closest('[data-index]');
    const index = Number(line?.getAttribute('data-index') ?? -1);
    const row = rows[index];
    if (!row) return;
    setActive(index);
    // A text that was just marked is not a click.
    if (getSelection()?.isCollapsed !== false) toggle(row);
  };
  return (
    <div className="panel relative">
      <div className="flex items-center justify-between border-b border-line py-0.5 pr-1 pl-3 text-xs text-muted">
        {bytes(weight)}
        <CopyButton text={() => (source ? source.all().then(pretty) : pretty(value))} label={`${t.common.copy}: ${label}`} />
      </div>
      <div ref={place} className="max-h-80 overflow-auto rounded-b-lg p-2 font-mono text-sm">
        <div
          role="tree"
          tabIndex={0}
          aria-label={label}
          aria-activedescendant={visible.some(({ index }) => index === at) ? `${id}-${at}` : undefined}
          onKeyDown={onKeyDown}
          onClick={onClick}
          className="group relative rounded-sm"
          style={{ height: lines.getTotalSize() }}
        >
          {value === WAITING ? <p className="px-2 text-muted">{t.common.loading}</p> : visible.map(({ index, key, start }) => {
            const row = rows[index];
            return (
              row && (
                <div
                  key={key}
                  id={`${id}-${index}`}
                  ref={lines.measureElement}
                  data-index={index}
                  role="treeitem"
                  aria-level={row.depth + 1}
                  aria-selected={index === at}
                  {...(row.open === undefined ? {} : { 'aria-expanded': row.open })}
                  className={cx('absolute inset-x-0 top-0 min-h-6 rounded-sm py-0.5', (row.open !== undefined || row.more !== undefined || row.value instanceof Absent) && 'cursor-pointer hover:bg-hover', index === at && 'group-focus-visible:bg-hover')}
                  style={{ transform: `translateY(${start}px)`, paddingLeft: row.depth * 14 + 2 }}
                >
                  <Line row={row} busy={asked.has(row.more === undefined ? row.path : (row.name ?? ''))} />
                </div>
              )
            );
          })}
        </div>
      </div>
    </div>
  );
}

function Line({ row, busy }: { row: JsonRow; busy: boolean }) {
  if (row.more !== undefined) return <span className={cx('pl-4', !busy && 'link')}>{busy ? t.common.loading : t.json.more(row.absent ? Math.min(row.more, MEMBERS) : row.more)}</span>;
  const key = row.name === null ? null : <span className="text-accent">{row.name}: </span>;
  if (row.size !== undefined) {
    return (
      <span className="flex items-start">
        <ChevronRight className={cx('mt-0.5 size-4 shrink-0 text-muted', row.open && 'rotate-90')} aria-hidden="true" />
        <span className="min-w-0 break-words">
          {key}
          <span className="text-muted">{isList(row.value) ? `[${row.size}]` : `{${row.size}}`}{row.value instanceof Absent && row.depth > 0 && ` ${bytes(row.value.bytes)}`}</span>
        </span>
      </span>
    );
  }
  return (
    <div className="pl-4 break-words whitespace-pre-wrap">
      {key}
      {row.value instanceof Absent ? <span className="link">{busy ? t.common.loading : t.json.text(bytes(row.value.bytes))}</span> : <Leaf value={row.value} />}
    </div>
  );
}

const LONG = 2000;
/** More of one text than this at once makes the page slow. */
const STEP = 100_000;

function Leaf({ value }: { value: unknown }) {
  const [shown, setShown] = useState(LONG);
  if (typeof value === 'string') {
    const cut = value.length > shown;
    return (
      <span className="text-ok">
        {JSON.stringify(cut ? value.slice(0, shown) : value)}
        {cut && (
          <button
            type="button"
            tabIndex={-1}
            className="link ml-1 min-h-6"
            onClick={(event) => {
              event.stopPropagation();
              setShown(shown === LONG ? STEP : shown + STEP);
            }}
          >
            {value.length > STEP ? t.json.further(bytes(value.length)) : t.json.all(bytes(value.length))}
          </button>
        )}
      </span>
    );
  }
  if (value !== null && typeof value === 'object') return <span className="text-muted">{Array.isArray(value) ? '[]' : '{}'}</span>;
  return <span className="text-retry">{String(value)}</span>;
}
