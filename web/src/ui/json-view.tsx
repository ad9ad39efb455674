import { useVirtualizer } from '@tanstack/react-virtual';
import { ChevronRight } from 'lucide-react';
import { type KeyboardEvent, type MouseEvent, useId, useMemo, useRef, useState } from 'react';
import { t } from '@/i18n/en';
import { CopyButton } from './copy-button';
import { cx } from './cx';
import { bytes } from './format';
import { type JsonRow, MEMBERS, type Opened, rowsOf, untouched, weightOf } from './json-rows';

const LINE = 24;

/** A value as a tree that opens where one looks. Only the lines in view are in the page, whatever the size of the value. */
export function JsonView({ value, label }: { value: unknown; label: string }) {
  const [opened, setOpened] = useState<Opened>(untouched);
  const [active, setActive] = useState(0);
  const place = useRef<HTMLDivElement>(null);
  const id = useId();
  const rows = useMemo(() => rowsOf(value, opened), [value, opened]);
  const weight = useMemo(() => weightOf(value), [value]);
  const at = Math.min(active, rows.length - 1);
  // oxlint-disable-next-line react/incompatible-library -- this component keeps nothing that the library could make stale
  const lines = useVirtualizer({ count: rows.length, getScrollElement: () => place.current, estimateSize: () => LINE, overscan: 12, getItemKey: (index) => rows[index]?.path ?? index });

  const visible = lines.getVirtualItems();
  const toggle = (row: JsonRow) => {
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
        <CopyButton text={() => JSON.stringify(value, null, 2) ?? 'null'} label={`${t.common.copy}: ${label}`} />
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
          {visible.map(({ index, key, start }) => {
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
                  className={cx('absolute inset-x-0 top-0 min-h-6 rounded-sm py-0.5', (row.open !== undefined || row.more !== undefined) && 'cursor-pointer hover:bg-hover', index === at && 'group-focus-visible:bg-hover')}
                  style={{ transform: `translateY(${start}px)`, paddingLeft: row.depth * 14 + 2 }}
                >
                  <Line row={row} />
                </div>
              )
            );
          })}
        </div>
      </div>
    </div>
  );
}

function Line({ row }: { row: JsonRow }) {
  if (row.more !== undefined) return <span className="link pl-4">{t.json.more(row.more)}</span>;
  const key = row.name === null ? null : <span className="text-accent">{row.name}: </span>;
  if (row.size !== undefined) {
    return (
      <span className="flex items-start">
        <ChevronRight className={cx('mt-0.5 size-4 shrink-0 text-muted', row.open && 'rotate-90')} aria-hidden="true" />
        <span className="min-w-0 break-words">
          {key}
          <span className="text-muted">{Array.isArray(row.value) ? `[${row.size}]` : `{${row.size}}`}</span>
        </span>
      </span>
    );
  }
  return (
    <div className="pl-4 break-words whitespace-pre-wrap">
      {key}
      <Leaf value={row.value} />
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
