// Parts of a page, one at a time; which one stands in the address.
export function Tabs<T extends string>({ label, names, current, choose }: { label: string; names: Record<T, string>; current: T; choose: (name: T) => void }) {
  return (
    <div role="group" aria-label={label} className="-mt-2 flex gap-4 overflow-x-auto border-b border-line">
      {(Object.keys(names) as T[]).map((name) => (
        <button
          key={name}
          type="button"
          aria-pressed={name === current}
          onClick={() => choose(name)}
          className="-mb-px border-b-2 border-transparent py-2 whitespace-nowrap text-muted hover:text-fg aria-pressed:border-accent aria-pressed:text-fg"
        >
          {names[name]}
        </button>
      ))}
    </div>
  );
}
