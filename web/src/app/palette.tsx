import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { Command } from 'cmdk';
import { Dialog } from 'radix-ui';
import { type ReactNode, useDeferredValue, useState } from 'react';
import { api, ask } from '@/api/client';
import { t } from '@/i18n/en';
import { groups } from './nav';
import { prefer } from './preferences';
import { scope, useMay, useSession } from './session';

const ITEM = 'flex min-h-9 cursor-pointer items-center gap-2 rounded-md px-2 py-1.5 data-[selected=true]:bg-hover';
const GROUP = '[&_[cmdk-group-heading]]:px-2 [&_[cmdk-group-heading]]:py-1.5 [&_[cmdk-group-heading]]:text-xs [&_[cmdk-group-heading]]:text-muted';

export default function Palette({ close, keys }: { close: () => void; keys: () => void }) {
  const navigate = useNavigate();
  const [text, setText] = useState('');
  const q = useDeferredValue(text.trim());
  const superuser = useSession((state) => state.me?.is_superuser ?? false);
  const manages = useMay('admin');
  const writes = useMay('member');
  const found = useQuery({
    queryKey: [scope(), 'workflows', 'palette', q],
    queryFn: ({ signal }) => ask(api.GET('/api/workflows', { params: { query: { limit: 8, ...(q ? { q } : { sort: 'updated' as const }) } }, signal })),
    placeholderData: (before) => before,
  });
  const go = (action: () => unknown) => () => {
    close();
    action();
  };
  return (
    <Dialog.Root open onOpenChange={(open) => !open && close()}>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-30 bg-scrim" />
        <Dialog.Content aria-describedby={undefined} className="fixed top-[12vh] left-1/2 z-30 w-[calc(100vw-24px)] max-w-xl -translate-x-1/2 overflow-hidden rounded-lg border border-line bg-raised shadow-layer">
          <Dialog.Title className="sr-only">{t.palette.title}</Dialog.Title>
          <Command label={t.palette.title} loop>
            <Command.Input value={text} onValueChange={setText} placeholder={t.palette.placeholder} className="h-12 w-full border-b border-line bg-transparent px-4 text-lg outline-none placeholder:text-muted" />
            <Command.List label={t.palette.title} className="max-h-[50vh] overflow-y-auto p-1.5" tabIndex={0}>
              <Command.Empty className="px-2 py-6 text-center text-muted">{t.palette.empty}</Command.Empty>
              <Command.Group heading={t.palette.pages} className={GROUP}>
                {groups
                  .flatMap((group) => group.items)
                  .filter((item) => (!item.superuser || superuser) && (item.role !== 'admin' || manages))
                  .map((item) => (
                    <Item key={item.to} name={item.label} select={go(() => navigate({ to: item.to }))}>
                      <item.icon className="size-4 text-muted" aria-hidden="true" />
                      {item.label}
                    </Item>
                  ))}
              </Command.Group>
              {(found.data?.items.length ?? 0) > 0 && (
                <Command.Group heading={t.palette.workflows} className={GROUP}>
                  {found.data?.items.map((workflow) => (
                    <Item key={workflow.id} name={`${workflow.name} ${workflow.id}`} select={go(() => navigate({ to: '/workflows/$workflowId', params: { workflowId: workflow.id } }))}>
                      <span className="truncate">{workflow.name}</span>
                      <span className="truncate text-muted">{workflow.description}</span>
                    </Item>
                  ))}
                </Command.Group>
              )}
              <Command.Group heading={t.palette.actions} className={GROUP}>
                {writes && (
                  <Item name={t.palette.newWorkflow} select={go(() => navigate({ to: '/workflows/new' }))}>
                    {t.palette.newWorkflow}
                  </Item>
                )}
                <Item name={t.keys.title} select={go(keys)}>
                  {t.keys.title}
                </Item>
                {(['light', 'dark', 'system'] as const).map((name) => (
                  <Item key={name} name={`${t.nav.theme} ${t.nav[name]}`} select={go(() => prefer({ theme: name }))}>
                    {t.nav.theme}: {t.nav[name]}
                  </Item>
                ))}
              </Command.Group>
            </Command.List>
          </Command>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function Item({ name, select, children }: { name: string; select: () => void; children: ReactNode }) {
  return (
    <Command.Item value={name} onSelect={select} className={ITEM}>
      {children}
    </Command.Item>
  );
}
