import { WifiOff } from 'lucide-react';
import { t } from '@/i18n/en';
import { useLive } from '@/live/socket';
import { cx } from '@/ui/cx';

/** Only what a reader has to know: that what is shown may be old. */
export function LiveState({ className }: { className?: string }) {
  const state = useLive((live) => live.state);
  return (
    <div role="status" className={cx('text-xs text-muted', className)}>
      {state === 'lost' && (
        <span className="flex items-center gap-1.5">
          <WifiOff className="size-3.5" aria-hidden="true" />
          {t.nav.reconnecting}
        </span>
      )}
    </div>
  );
}
