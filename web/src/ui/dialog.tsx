import { X } from 'lucide-react';
import { Dialog as Base } from 'radix-ui';
import { type ReactNode, useRef } from 'react';
import { t } from '@/i18n/en';
import { cx } from './cx';

/** A layer over the page; focus goes in, and back to what opened it. */
export function Dialog({
  open,
  onClose,
  title,
  description,
  wide = false,
  closable = true,
  children,
  footer,
}: {
  open: boolean;
  onClose: () => void;
  title: string;
  description?: ReactNode;
  wide?: boolean;
  closable?: boolean;
  children: ReactNode;
  footer?: ReactNode;
}) {
  const opener = useRef<Element>(null);
  return (
    <Base.Root open={open} onOpenChange={(now) => !now && closable && onClose()}>
      <Base.Portal>
        <Base.Overlay className="fixed inset-0 z-30 bg-scrim" />
        <Base.Content
          {...(description ? {} : { 'aria-describedby': undefined })}
          onOpenAutoFocus={() => {
            opener.current = document.activeElement;
          }}
          onCloseAutoFocus={(event) => {
            event.preventDefault();
            if (opener.current instanceof HTMLElement) opener.current.focus();
          }}
          onInteractOutside={(event) => !closable && event.preventDefault()}
          className={cx(
            'fixed top-[8vh] left-1/2 z-30 flex max-h-[84vh] w-[calc(100vw-24px)] -translate-x-1/2 flex-col rounded-lg border border-line',
            'bg-raised shadow-layer',
            wide ? 'max-w-4xl' : 'max-w-lg',
          )}
        >
          <div className="flex items-start gap-3 px-4 pt-4 pb-2">
            <div className="min-w-0 flex-1">
              <Base.Title className="text-lg font-semibold">{title}</Base.Title>
              {description && <Base.Description className="mt-0.5 text-sm text-muted">{description}</Base.Description>}
            </div>
            {closable && (
              <Base.Close className="-mt-1 -mr-1 inline-grid size-8 place-items-center rounded-md text-muted hover:bg-hover" aria-label={t.common.close}>
                <X className="size-4" aria-hidden="true" />
              </Base.Close>
            )}
          </div>
          <div className="min-h-0 flex-1 overflow-auto px-4 py-2">{children}</div>
          {footer && <div className="flex flex-wrap justify-end gap-2 border-t border-line px-4 py-3">{footer}</div>}
        </Base.Content>
      </Base.Portal>
    </Base.Root>
  );
}
