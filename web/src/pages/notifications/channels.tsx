import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Pencil, Plus, Send, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { channelsKey, channelsQuery, type NotificationKind } from '@/api/notifications';
import { api, ask, type Schemas } from '@/api/client';
import { t } from '@/i18n/en';
import { useForm } from '@/pages/auth/form';
import { Button, IconButton } from '@/ui/button';
import { Confirm } from '@/ui/confirm';
import { Dialog } from '@/ui/dialog';
import { Checkbox, Select, TextField } from '@/ui/field';
import { Section } from '@/ui/page';
import { Empty, FormProblem, Loading, ProblemView } from '@/ui/states';
import { Badge } from '@/ui/status';
import { Table } from '@/ui/table';
import { Time } from '@/ui/time';
import { toast } from '@/ui/toast';

type Channel = Schemas['NotificationChannel'];
const KINDS = Object.keys(t.notifications.kinds) as NotificationKind[];
const path = (channel: Channel) => ({ params: { path: { channel_id: channel.id } } });

export function Channels() {
  const queries = useQueryClient();
  const list = useQuery(channelsQuery());
  const [editing, setEditing] = useState<Channel | 'new' | null>(null);
  const [deleting, setDeleting] = useState<Channel | null>(null);
  const stale = () => queries.invalidateQueries({ queryKey: channelsKey() });
  const test = useMutation({
    mutationFn: (channel: Channel) => ask(api.POST('/api/notification-channels/{channel_id}/test', path(channel))),
    onSuccess: ({ status, detail }) => (status === 'ok' ? toast.done(detail) : toast.failed(new Error(detail))),
    onError: toast.failed,
    onSettled: stale,
  });
  return (
    <Section
      title={t.notifications.tabs.channels}
      hint={t.notifications.channelsHint}
      actions={
        <Button kind="primary" onClick={() => setEditing('new')}>
          <Plus className="size-4" aria-hidden="true" />
          {t.notifications.newChannel}
        </Button>
      }
    >
      {list.isPending && <Loading rows={3} />}
      {list.error && <ProblemView error={list.error} retry={() => void list.refetch()} />}
      {list.data?.items.length === 0 && <Empty title={t.notifications.noChannels}>{t.notifications.noChannelsHelp}</Empty>}
      {(list.data?.items.length ?? 0) > 0 && (
        <Table
          caption={t.notifications.tabs.channels}
          rows={list.data?.items ?? []}
          id={(channel) => channel.id}
          columns={[
            {
              head: t.notifications.name,
              cell: (channel) => (
                <span className="flex flex-col">
                  <span className="flex flex-wrap items-center gap-1.5 font-medium">
                    {channel.name}
                    {!channel.is_active && <Badge>{t.notifications.off}</Badge>}
                    {channel.is_signed && <Badge>{t.notifications.signed}</Badge>}
                  </span>
                  <span className="text-sm break-all text-muted">
                    {t.notifications.types[channel.kind]} · {channel.host}
                  </span>
                </span>
              ),
            },
            { head: t.notifications.told, cell: (channel) => <span className="text-sm text-muted">{channel.kinds.map((kind) => t.notifications.kinds[kind]).join(', ') || t.notifications.toldAll}</span> },
            {
              head: t.notifications.last,
              cell: (channel) => (
                <span className="flex flex-col text-sm">
                  <Time at={channel.last_sent_at} className="text-muted" />
                  {channel.last_error && <span className="break-words text-fail">{channel.last_error}</span>}
                </span>
              ),
            },
            {
              head: t.common.actions,
              className: 'md:text-right md:whitespace-nowrap',
              cell: (channel) => (
                <>
                  <IconButton label={t.notifications.testOf(channel.name)} disabled={test.isPending} onClick={() => test.mutate(channel)}>
                    <Send className="size-4" aria-hidden="true" />
                  </IconButton>
                  <IconButton label={t.notifications.changeOf(channel.name)} onClick={() => setEditing(channel)}>
                    <Pencil className="size-4" aria-hidden="true" />
                  </IconButton>
                  <IconButton label={t.notifications.deleteOf(channel.name)} onClick={() => setDeleting(channel)}>
                    <Trash2 className="size-4" aria-hidden="true" />
                  </IconButton>
                </>
              ),
            },
          ]}
        />
      )}
      {editing && (
        <ChannelDialog
          channel={editing === 'new' ? null : editing}
          close={() => setEditing(null)}
          saved={() => {
            setEditing(null);
            toast.done(t.notifications.saved);
            void stale();
          }}
        />
      )}
      {deleting && (
        <Confirm
          title={t.notifications.deleteOf(deleting.name)}
          text={t.notifications.deleteSure(deleting.name)}
          button={t.common.delete}
          close={() => setDeleting(null)}
          act={async () => {
            await ask(api.DELETE('/api/notification-channels/{channel_id}', path(deleting)));
            toast.done(t.notifications.deleted);
            await stale();
          }}
        />
      )}
    </Section>
  );
}

function ChannelDialog({ channel, close, saved }: { channel: Channel | null; close: () => void; saved: () => void }) {
  const [type, setType] = useState<Channel['kind']>(channel?.kind ?? 'slack');
  const [kinds, setKinds] = useState<readonly NotificationKind[]>(channel?.kinds ?? []);
  const [active, setActive] = useState(channel?.is_active ?? true);
  const form = useForm(({ name = '', url = '', key = '' }) => {
    const wish = { name, kinds: [...kinds], ...(key ? { key } : {}) };
    if (!channel) return ask(api.POST('/api/notification-channels', { body: { ...wish, kind: type, url } }));
    return ask(api.PATCH('/api/notification-channels/{channel_id}', { ...path(channel), body: { ...wish, ...(url ? { url } : {}), is_active: active } }));
  }, saved);
  return (
    <Dialog
      open
      onClose={close}
      title={channel ? t.notifications.changeOf(channel.name) : t.notifications.newChannel}
      footer={
        <>
          <Button onClick={close}>{t.common.cancel}</Button>
          <Button kind="primary" type="submit" form="channel" busy={form.busy}>
            {t.common.save}
          </Button>
        </>
      }
    >
      <form id="channel" onSubmit={form.onSubmit} className="flex flex-col gap-3 pb-2">
        {!channel && (
          <Select
            label={t.notifications.type}
            value={type}
            onChange={(event) => setType(event.target.value as Channel['kind'])}
            options={(['slack', 'webhook'] as const).map((value) => ({ value, label: t.notifications.types[value] }))}
          />
        )}
        <TextField label={t.notifications.name} name="name" defaultValue={channel?.name} required maxLength={100} autoComplete="off" />
        <TextField label={t.notifications.url} name="url" type="url" required={!channel} autoComplete="off" hint={channel ? t.notifications.keep : t.notifications.urlHint[type]} />
        {type === 'webhook' && <TextField label={t.notifications.key} name="key" type="password" autoComplete="new-password" hint={channel?.is_signed ? t.notifications.keep : t.notifications.keyHint} />}
        <fieldset className="flex flex-col gap-1.5 rounded-md border border-line px-3 pb-3">
          <legend className="px-1 text-sm font-medium">{t.notifications.told}</legend>
          <Checkbox label={t.notifications.anything} checked={kinds.length === 0} onChange={() => setKinds([])} />
          {KINDS.map((kind) => (
            <Checkbox
              key={kind}
              label={t.notifications.kinds[kind]}
              checked={kinds.includes(kind)}
              onChange={(event) => setKinds(event.target.checked ? [...kinds, kind] : kinds.filter((other) => other !== kind))}
            />
          ))}
        </fieldset>
        {channel && <Checkbox label={t.notifications.active} checked={active} onChange={(event) => setActive(event.target.checked)} />}
        <FormProblem error={form.error} />
      </form>
    </Dialog>
  );
}
