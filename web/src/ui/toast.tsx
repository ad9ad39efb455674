import { X } from 'lucide-react';
import { create } from 'zustand';
import { ApiError } from '@/api/client';
import { t } from '@/i18n/en';
import { problemText } from './states';

type Toast = { id: number; text: string; failed: boolean };
type Store = { toasts: Toast[]; add: (text: string, failed: boolean) => void; drop: (id: number) => void };
let next = 1;

const useToasts = create<Store>((set) => ({
  toasts: [],
  add: (text, failed) => {
    const id = next++;
    set((state) => ({ toasts: [...state.toasts.slice(-2), { id, text, failed }] }));
    // What failed stays until it is read.
    if (!failed) setTimeout(() => useToasts.getState().drop(id), 5000);
  },
  drop: (id) => set((state) => ({ toasts: state.toasts.filter((toast) => toast.id !== id) })),
}));

export const toast = {
  done: (text: string) => useToasts.getState().add(text, false),
  failed: (error: unknown) => {
    const { title, detail } = problemText(error);
    const offline = error instanceof ApiError && error.status === 0;
    useToasts.getState().add(offline ? `${title}. ${detail}` : detail || title, true);
  },
};

export function Toasts() {
  const toasts = useToasts((state) => state.toasts);
  const drop = useToasts((state) => state.drop);
  return (
    <section aria-label={t.common.notifications} className="pointer-events-none fixed right-3 bottom-16 z-40 flex w-80 max-w-[calc(100vw-24px)] flex-col gap-2 md:bottom-3">
      <div aria-live="polite" className="flex flex-col gap-2">
        {toasts.map((item) => (
          <div key={item.id} className="pointer-events-auto flex items-start gap-2 rounded-lg border border-line bg-raised p-3 shadow-layer">
            <p className={item.failed ? 'min-w-0 flex-1 break-words whitespace-pre-line text-fail' : 'min-w-0 flex-1 break-words'}>{item.text}</p>
            <button type="button" aria-label={t.common.close} className="grid size-6 place-items-center rounded-sm hover:bg-hover" onClick={() => drop(item.id)}>
              <X className="size-3.5" aria-hidden="true" />
            </button>
          </div>
        ))}
      </div>
    </section>
  );
}
