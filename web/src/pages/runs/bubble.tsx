import { cx } from '@/ui/cx';

/** What somebody said; what the agent itself did stands at the other side. */
export function Bubble({ who, text, mine }: { who: string; text: string; mine: boolean }) {
  return (
    <div className={cx('w-fit max-w-3xl rounded-lg border px-3 py-2', mine ? 'ml-auto border-accent' : 'border-line bg-subtle')}>
      <p className="text-xs text-muted">{who}</p>
      <p className="break-words whitespace-pre-wrap">{text}</p>
    </div>
  );
}
