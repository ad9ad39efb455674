import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Suspense, useState } from 'react';
import { api, ask, type Schemas } from '@/api/client';
import { prefer, type Theme, usePreferences } from '@/app/preferences';
import { loadMe, roleIn, useSession } from '@/app/session';
import { t } from '@/i18n/en';
import { useForm } from '@/pages/auth/form';
import { Button } from '@/ui/button';
import { Confirm } from '@/ui/confirm';
import { Dialog } from '@/ui/dialog';
import { Checkbox, Select, TextField } from '@/ui/field';
import { CopyButton } from '@/ui/copy-button';
import { Page, Section } from '@/ui/page';
import { part } from '@/ui/part';
import { Empty, FormProblem, Loading, ProblemView } from '@/ui/states';
import { Badge } from '@/ui/status';
import { Table } from '@/ui/table';
import { Time } from '@/ui/time';
import { toast } from '@/ui/toast';
import { SignInLinks } from './sign-in-links';

const QrPicture = part(async () => ({ default: (await import('@/ui/qr-picture')).QrPicture }));

export function ProfilePage() {
  const me = useSession((state) => state.me);
  if (!me) return null;
  return (
    <Page title={t.profile.title}>
      <div className="flex max-w-3xl flex-col gap-8">
        <Account me={me} />
        <Look />
        <Password />
        <Factor me={me} />
        <SignInLinks />
        <Sessions />
        <Keys me={me} />
      </div>
    </Page>
  );
}

function Account({ me }: { me: Schemas['Me'] }) {
  const form = useForm(
    async ({ name = '' }) => {
      await ask(api.PUT('/api/auth/profile', { body: { name } }));
      await loadMe();
    },
    () => toast.done(t.profile.saved),
  );
  const resend = useMutation({ mutationFn: () => ask(api.POST('/api/auth/resend-verification')), onSuccess: (said) => toast.done(said.message), onError: toast.failed });
  return (
    <Section title={t.profile.account} hint={t.profile.accountHint}>
      <form onSubmit={form.onSubmit} className="flex max-w-md flex-col gap-3">
        <TextField label={t.auth.name} name="name" defaultValue={me.name} required autoComplete="name" />
        <p className="flex flex-wrap items-center gap-2 text-sm">
          {me.email}
          <Badge tone={me.email_verified ? 'ok' : 'wait'}>{me.email_verified ? t.profile.verified : t.profile.unverified}</Badge>
          {!me.email_verified && (
            <button type="button" className="link min-h-6" onClick={() => resend.mutate()}>
              {t.profile.resend}
            </button>
          )}
        </p>
        <FormProblem error={form.error} />
        <Button type="submit" className="self-start" busy={form.busy}>
          {t.common.save}
        </Button>
      </form>
    </Section>
  );
}

/** UTC stands first; what the browser does not know it cannot show. */
const ZONES = ['UTC', ...Intl.supportedValuesOf('timeZone').filter((zone) => zone !== 'UTC')];

function Look() {
  const { theme, zone, letters } = usePreferences();
  const own = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  return (
    <Section title={t.profile.look} hint={t.profile.lookHint}>
      <div className="flex max-w-md flex-col gap-3">
        <Select
          label={t.nav.theme}
          value={theme}
          onChange={(event) => prefer({ theme: event.target.value as Theme })}
          options={[
            { value: 'system', label: t.nav.system },
            { value: 'light', label: t.nav.light },
            { value: 'dark', label: t.nav.dark },
          ]}
        />
        <Select
          label={t.profile.zone}
          hint={t.profile.zoneHint}
          value={zone}
          onChange={(event) => prefer({ time_zone: event.target.value })}
          options={[{ value: '', label: t.profile.zoneOwn(own) }, ...ZONES.map((name) => ({ value: name, label: name.replaceAll('_', ' ') }))]}
        />
        <Checkbox name="letters" label={t.keys.letters} checked={letters} onChange={(event) => prefer({ letter_shortcuts: event.target.checked })} />
      </div>
    </Section>
  );
}

function Password() {
  const [key, setKey] = useState(0);
  const form = useForm(
    ({ old = '', fresh = '' }) => ask(api.POST('/api/auth/change-password', { body: { old_password: old, new_password: fresh } })),
    () => {
      setKey((before) => before + 1);
      toast.done(t.profile.changed);
    },
  );
  return (
    <Section title={t.profile.password} hint={t.profile.passwordHint}>
      <form key={key} onSubmit={form.onSubmit} className="flex max-w-md flex-col gap-3">
        <TextField label={t.profile.oldPassword} name="old" type="password" autoComplete="current-password" required />
        <TextField label={t.auth.newPassword} name="fresh" type="password" autoComplete="new-password" hint={t.auth.passwordHint} required />
        <FormProblem error={form.error} />
        <Button type="submit" className="self-start" busy={form.busy}>
          {t.profile.change}
        </Button>
      </form>
    </Section>
  );
}

function Factor({ me }: { me: Schemas['Me'] }) {
  const [open, setOpen] = useState(false);
  return (
    <Section title={t.profile.factor} hint={me.totp_enabled ? t.profile.factorOn : t.profile.factorOff}>
      <Button className="self-start" onClick={() => setOpen(true)}>
        {me.totp_enabled ? t.profile.factorRemove : t.profile.factorSetup}
      </Button>
      {open && (me.totp_enabled ? <FactorOff close={() => setOpen(false)} /> : <FactorOn close={() => setOpen(false)} />)}
    </Section>
  );
}

function FactorOff({ close }: { close: () => void }) {
  const form = useForm(
    async ({ password = '', code = '' }) => {
      await ask(api.POST('/api/auth/totp/disable', { body: { password, code } }));
      await loadMe();
    },
    close,
  );
  return (
    <Dialog open onClose={close} title={t.profile.factorRemove}>
      <form onSubmit={form.onSubmit} className="flex flex-col gap-3 pb-3">
        <TextField label={t.auth.password} name="password" type="password" autoComplete="current-password" required />
        <TextField label={t.auth.code} name="code" autoComplete="one-time-code" required />
        <FormProblem error={form.error} />
        <Button kind="danger" type="submit" busy={form.busy}>
          {t.profile.factorRemove}
        </Button>
      </form>
    </Dialog>
  );
}

function FactorOn({ close }: { close: () => void }) {
  const [secret, setSecret] = useState<Schemas['TotpSetup'] | null>(null);
  const [codes, setCodes] = useState<string[] | null>(null);
  const begin = useForm(({ password = '' }) => ask(api.POST('/api/auth/totp/setup', { body: { password } })), setSecret);
  const enable = useForm(({ code = '' }) => ask(api.POST('/api/auth/totp/enable', { body: { code } })), (made) => setCodes(made.backup_codes));
  const end = () => {
    if (codes) void loadMe();
    close();
  };
  return (
    <Dialog open onClose={end} title={codes ? t.profile.factorCodes : t.profile.factor} description={codes ? t.profile.factorCodesHelp : secret ? t.profile.factorScan : t.profile.factorConfirm}>
      {codes ? (
        <div className="flex flex-col gap-3 pb-3">
          <ul className="panel grid grid-cols-1 gap-1 p-3 font-mono text-sm sm:grid-cols-2">
            {codes.map((code) => (
              <li key={code}>{code}</li>
            ))}
          </ul>
          <div className="flex justify-end gap-2">
            <CopyButton text={codes.join('\n')} label={t.common.copy} />
            <Button kind="primary" onClick={end}>
              {t.profile.factorDone}
            </Button>
          </div>
        </div>
      ) : secret ? (
        <form key="code" onSubmit={enable.onSubmit} className="flex flex-col gap-3 pb-3">
          <Suspense fallback={<div className="h-52" />}>
            <QrPicture text={secret.uri} label={t.profile.factorPicture} />
          </Suspense>
          <p className="panel flex items-center justify-between gap-2 py-1 pr-1 pl-3">
            <span className="font-mono break-all">
              <span className="sr-only">{t.profile.factorKey}: </span>
              {secret.secret}
            </span>
            <CopyButton text={secret.secret} label={t.common.copy} />
          </p>
          <a className="link text-sm" href={secret.uri}>
            {t.profile.factorOpen}
          </a>
          <TextField label={t.profile.factorCode} name="code" autoComplete="one-time-code" inputMode="numeric" required />
          <FormProblem error={enable.error} />
          <Button kind="primary" type="submit" busy={enable.busy}>
            {t.profile.factorEnable}
          </Button>
        </form>
      ) : (
        <form key="password" onSubmit={begin.onSubmit} className="flex flex-col gap-3 pb-3">
          <TextField label={t.auth.password} name="password" type="password" autoComplete="current-password" required />
          <FormProblem error={begin.error} />
          <Button kind="primary" type="submit" busy={begin.busy}>
            {t.profile.factorSetup}
          </Button>
        </form>
      )}
    </Dialog>
  );
}

/** `Mozilla/5.0 (X11; Linux x86_64) ... Firefox/130.0` as `Firefox on Linux`. */
export function agentName(agent: string): string {
  const browser = /(Firefox|Edg|OPR|Chrome|Safari|curl|python)[/ ]?/i.exec(agent)?.[1] ?? (agent.split(/[ /]/)[0] || '?');
  const system = /(Windows|Android|iPhone|iPad|Mac OS X|Linux)/.exec(agent)?.[1];
  const name = browser === 'Edg' ? 'Edge' : browser === 'OPR' ? 'Opera' : browser;
  return system ? `${name}, ${system}` : name;
}

function Sessions() {
  const queries = useQueryClient();
  const sessions = useQuery({ queryKey: ['sessions'], queryFn: () => ask(api.GET('/api/auth/sessions')) });
  const changed = { onSuccess: () => queries.invalidateQueries({ queryKey: ['sessions'] }), onError: toast.failed };
  const end = useMutation({ mutationFn: (id: string) => ask(api.DELETE('/api/auth/sessions/{session_id}', { params: { path: { session_id: id } } })), ...changed });
  const others = useMutation({ mutationFn: () => ask(api.DELETE('/api/auth/sessions')), ...changed });
  const items = sessions.data?.items ?? [];
  return (
    <Section
      title={t.profile.sessions}
      hint={t.profile.sessionsHint}
      actions={
        items.length > 1 && (
          <Button busy={others.isPending} onClick={() => others.mutate()}>
            {t.profile.endOthers}
          </Button>
        )
      }
    >
      {sessions.isPending && <Loading rows={2} />}
      {sessions.error && <ProblemView error={sessions.error} retry={() => void sessions.refetch()} />}
      {items.length > 0 && (
        <Table
          caption={t.profile.sessions}
          rows={items}
          id={(session) => session.id}
          columns={[
            {
              head: t.profile.sessions,
              cell: (session) => (
                <span className="flex flex-wrap items-center gap-2" title={session.user_agent}>
                  {agentName(session.user_agent)} <span className="text-muted">{session.address}</span>
                  {session.current && <Badge tone="ok">{t.profile.thisSession}</Badge>}
                </span>
              ),
            },
            { head: t.profile.lastUsed, cell: (session) => <Time at={session.last_used_at} className="text-sm text-muted" /> },
            {
              head: t.common.actions,
              className: 'md:text-right',
              cell: (session) => !session.current && <Button onClick={() => end.mutate(session.id)}>{t.profile.endSession}</Button>,
            },
          ]}
        />
      )}
    </Section>
  );
}

const SCOPES = ['read', 'execute', 'write', 'manage'] as const;
const NEEDS: Record<(typeof SCOPES)[number], string[]> = { read: ['viewer', 'member', 'admin', 'owner'], execute: ['member', 'admin', 'owner'], write: ['member', 'admin', 'owner'], manage: ['admin', 'owner'] };

function Keys({ me }: { me: Schemas['Me'] }) {
  const queries = useQueryClient();
  const [making, setMaking] = useState(false);
  const [revoking, setRevoking] = useState<Schemas['ApiKey'] | null>(null);
  const keys = useQuery({ queryKey: ['api-keys'], queryFn: () => ask(api.GET('/api/api-keys', { params: { query: { limit: 200 } } })) });
  const changed = () => queries.invalidateQueries({ queryKey: ['api-keys'] });
  return (
    <Section title={t.profile.keys} hint={t.profile.keysHint} actions={<Button onClick={() => setMaking(true)}>{t.profile.newKey}</Button>}>
      {keys.isPending && <Loading rows={2} />}
      {keys.error && <ProblemView error={keys.error} retry={() => void keys.refetch()} />}
      {keys.data?.items.length === 0 && <Empty title={t.profile.noKeys}>{t.profile.noKeysHelp}</Empty>}
      {(keys.data?.items.length ?? 0) > 0 && (
        <Table
          caption={t.profile.keys}
          rows={keys.data?.items ?? []}
          id={(key) => key.id}
          columns={[
            {
              head: t.profile.keyName,
              cell: (key) => (
                <>
                  {key.name} <span className="font-mono text-sm text-muted">{key.prefix}…</span>
                </>
              ),
            },
            { head: t.profile.keyScopes, cell: (key) => <span className="text-sm">{key.scopes.map((scope) => t.profile.scopes[scope]).join(', ')}</span> },
            { head: t.profile.used, cell: (key) => <span className="text-sm text-muted">{key.last_used_at ? <Time at={key.last_used_at} /> : t.common.never}</span> },
            { head: t.profile.keyExpires, cell: (key) => <span className="text-sm text-muted">{key.expires_at ? <Time at={key.expires_at} /> : t.profile.keyNever}</span> },
            { head: t.common.actions, className: 'md:text-right', cell: (key) => <Button onClick={() => setRevoking(key)}>{t.profile.revoke}</Button> },
          ]}
        />
      )}
      {making && <NewKey me={me} close={() => setMaking(false)} made={changed} />}
      {revoking && (
        <Confirm
          title={t.profile.revoke}
          text={t.profile.revokeSure(revoking.name)}
          button={t.profile.revoke}
          close={() => setRevoking(null)}
          act={async () => {
            await ask(api.DELETE('/api/api-keys/{key_id}', { params: { path: { key_id: revoking.id } } }));
            await changed();
          }}
        />
      )}
    </Section>
  );
}

const DAY = 86_400_000;

function NewKey({ me, close, made }: { me: Schemas['Me']; close: () => void; made: () => void }) {
  const organization = useSession((state) => state.organization);
  const role = roleIn(me, organization);
  const [issued, setIssued] = useState<Schemas['IssuedApiKey'] | null>(null);
  const offered = SCOPES.filter((scope) => NEEDS[scope].includes(role));
  const form = useForm(
    (values) =>
      ask(
        api.POST('/api/api-keys', {
          body: {
            name: values['name'] ?? '',
            scopes: offered.filter((scope) => values[scope] === 'on'),
            ...(organization ? { organization_id: organization } : {}),
            ...(values['days'] ? { expires_at: new Date(Date.now() + Number(values['days']) * DAY).toISOString() } : {}),
          },
        }),
      ),
    (key) => {
      setIssued(key);
      made();
    },
  );
  if (issued) {
    return (
      <Dialog open onClose={close} title={t.profile.keyMade} description={t.profile.keyOnce}>
        <p className="panel mb-4 flex items-center justify-between gap-2 py-1 pr-1 pl-3">
          <span className="font-mono text-sm break-all">{issued.key}</span>
          <CopyButton text={issued.key} label={t.common.copy} />
        </p>
      </Dialog>
    );
  }
  return (
    <Dialog open onClose={close} title={t.profile.newKey}>
      <form onSubmit={form.onSubmit} className="flex flex-col gap-3 pb-3">
        <TextField label={t.profile.keyName} name="name" required />
        <fieldset className="flex flex-col gap-1.5">
          <legend className="mb-1 text-sm font-medium">{t.profile.keyScopes}</legend>
          {offered.map((scope) => (
            <Checkbox key={scope} name={scope} label={t.profile.scopes[scope]} defaultChecked={scope === 'read'} />
          ))}
        </fieldset>
        <Select
          label={t.profile.keyExpires}
          name="days"
          defaultValue="90"
          options={[{ value: '30', label: t.profile.days(30) }, { value: '90', label: t.profile.days(90) }, { value: '365', label: t.profile.days(365) }, { value: '', label: t.profile.keyNever }]}
        />
        <FormProblem error={form.error} />
        <Button kind="primary" type="submit" busy={form.busy}>
          {t.profile.newKey}
        </Button>
      </form>
    </Dialog>
  );
}
