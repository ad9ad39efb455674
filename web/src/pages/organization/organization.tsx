import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ask, type Schemas } from '@/api/client';
import { type Role, scope, useMay, useSession } from '@/app/session';
import { t } from '@/i18n/en';
import { useForm } from '@/pages/auth/form';
import { Button } from '@/ui/button';
import { Confirm } from '@/ui/confirm';
import { Dialog } from '@/ui/dialog';
import { Select, TextField } from '@/ui/field';
import { Page, Section } from '@/ui/page';
import { Empty, FormProblem, Loading, ProblemView } from '@/ui/states';
import { Badge } from '@/ui/status';
import { Table } from '@/ui/table';
import { Time } from '@/ui/time';
import { toast } from '@/ui/toast';

const ROLES: Role[] = ['viewer', 'member', 'admin', 'owner'];
type DestroyRole = Schemas['Organization']['destroy_role'];
const DESTROYERS: DestroyRole[] = ['member', 'admin', 'owner'];
const options = ROLES.map((role) => ({ value: role, label: `${t.team.roles[role]}: ${t.team.roleHelp[role]}` }));

export function OrganizationPage() {
  const organization = useSession((state) => state.organization) ?? '';
  const manages = useMay('admin');
  return (
    <Page title={t.team.title}>
      <div className="flex max-w-4xl flex-col gap-8">
        {manages && <Name key={organization} organization={organization} />}
        <Members organization={organization} manages={manages} />
        {manages && <Invitations organization={organization} />}
      </div>
    </Page>
  );
}

function Name({ organization }: { organization: string }) {
  const queries = useQueryClient();
  const params = { path: { org_id: organization } };
  const key = [scope(), 'organization'];
  const found = useQuery({ queryKey: key, queryFn: () => ask(api.GET('/api/organizations/{org_id}', { params })) });
  const owns = useMay('owner');
  // Only owners reserve it to owners, or give it back: an admin sees that it is so.
  const choices = DESTROYERS.filter((role) => owns || (role === 'owner') === (found.data?.destroy_role === 'owner'));
  const form = useForm(
    ({ name = '', description = '', destroy_role: least }) => ask(api.PUT('/api/organizations/{org_id}', { params, body: { name, description, destroy_role: least as DestroyRole } })),
    (now) => {
      queries.setQueryData(key, now);
      void queries.invalidateQueries({ queryKey: ['organizations'] });
      toast.done(t.team.saved);
    },
  );
  return (
    <Section title={t.team.details}>
      {found.isPending && <Loading rows={3} />}
      {found.error && <ProblemView error={found.error} retry={() => void found.refetch()} />}
      {found.data && (
        <form onSubmit={form.onSubmit} className="flex max-w-md flex-col gap-3">
          <TextField label={t.team.organizationName} name="name" defaultValue={found.data.name} required maxLength={200} />
          <TextField label={t.team.description} name="description" defaultValue={found.data.description} maxLength={1000} />
          <Select
            label={t.team.destroyRole}
            hint={t.team.destroyRoleHelp}
            name="destroy_role"
            defaultValue={found.data.destroy_role}
            options={choices.map((role) => ({ value: role, label: t.team.destroyers[role] }))}
          />
          <FormProblem error={form.error} />
          <Button type="submit" className="self-start" busy={form.busy}>
            {t.common.save}
          </Button>
        </form>
      )}
    </Section>
  );
}

function Members({ organization, manages }: { organization: string; manages: boolean }) {
  const me = useSession((state) => state.me);
  const queries = useQueryClient();
  const [leaving, setLeaving] = useState<Schemas['Member'] | null>(null);
  const key = [scope(), 'members'];
  const members = useQuery({ queryKey: key, queryFn: () => ask(api.GET('/api/organizations/{org_id}/members', { params: { path: { org_id: organization }, query: { limit: 200 } } })) });
  const change = useMutation({
    mutationFn: ({ id, role }: { id: string; role: Role }) => ask(api.PUT('/api/organizations/{org_id}/members/{user_id}', { params: { path: { org_id: organization, user_id: id } }, body: { role } })),
    onError: toast.failed,
    onSettled: () => queries.invalidateQueries({ queryKey: key }),
  });
  return (
    <Section title={t.team.members}>
      {members.isPending && <Loading rows={3} />}
      {members.error && <ProblemView error={members.error} retry={() => void members.refetch()} />}
      {members.data && (
        <Table
          caption={t.team.members}
          rows={members.data.items}
          id={(member) => member.user_id}
          columns={[
            {
              head: t.team.person,
              cell: (member) => (
                <span className="flex flex-wrap items-center gap-x-2">
                  <span className="font-medium">{member.name}</span>
                  <span className="text-muted">{member.email}</span>
                  {member.user_id === me?.id && <Badge>{t.common.you}</Badge>}
                </span>
              ),
            },
            {
              head: t.team.role,
              cell: (member) =>
                manages && member.user_id !== me?.id ? (
                  <select aria-label={t.team.roleOf(member.name)} className="input w-auto!" value={change.isPending && change.variables.id === member.user_id ? change.variables.role : member.role} disabled={change.isPending} onChange={(event) => change.mutate({ id: member.user_id, role: event.target.value as Role })}>
                    {ROLES.map((role) => (
                      <option key={role} value={role}>
                        {t.team.roles[role]}
                      </option>
                    ))}
                  </select>
                ) : (
                  t.team.roles[member.role]
                ),
            },
            { head: t.team.joined, cell: (member) => <Time at={member.joined_at} className="text-sm text-muted" /> },
            {
              head: t.common.actions,
              className: 'md:text-right',
              cell: (member) => manages && member.user_id !== me?.id && <Button onClick={() => setLeaving(member)} aria-label={`${t.team.remove}: ${member.name}`}>{t.team.remove}</Button>,
            },
          ]}
        />
      )}
      {leaving && (
        <Confirm
          title={t.team.remove}
          text={t.team.removeSure(leaving.name)}
          button={t.team.remove}
          close={() => setLeaving(null)}
          act={async () => {
            await ask(api.DELETE('/api/organizations/{org_id}/members/{user_id}', { params: { path: { org_id: organization, user_id: leaving.user_id } } }));
            await queries.invalidateQueries({ queryKey: key });
          }}
        />
      )}
    </Section>
  );
}

function Invitations({ organization }: { organization: string }) {
  const queries = useQueryClient();
  const [inviting, setInviting] = useState(false);
  const key = [scope(), 'invitations'];
  const path = { org_id: organization };
  const list = useQuery({ queryKey: key, queryFn: () => ask(api.GET('/api/organizations/{org_id}/invitations', { params: { path } })) });
  const changed = () => queries.invalidateQueries({ queryKey: key });
  const resend = useMutation({
    mutationFn: (id: string) => ask(api.POST('/api/organizations/{org_id}/invitations/{invitation_id}/resend', { params: { path: { ...path, invitation_id: id } } })),
    onSuccess: () => toast.done(t.team.invited),
    onError: toast.failed,
  });
  const withdraw = useMutation({
    mutationFn: (id: string) => ask(api.DELETE('/api/organizations/{org_id}/invitations/{invitation_id}', { params: { path: { ...path, invitation_id: id } } })),
    onSuccess: changed,
    onError: toast.failed,
  });
  return (
    <Section title={t.team.invitations} actions={<Button kind="primary" onClick={() => setInviting(true)}>{t.team.invite}</Button>}>
      {list.isPending && <Loading rows={2} />}
      {list.error && <ProblemView error={list.error} retry={() => void list.refetch()} />}
      {list.data?.items.length === 0 && <Empty title={t.team.noInvitations}>{t.team.noInvitationsHelp}</Empty>}
      {(list.data?.items.length ?? 0) > 0 && (
        <Table
          caption={t.team.invitations}
          rows={list.data?.items ?? []}
          id={(invitation) => invitation.id}
          columns={[
            { head: t.auth.email, cell: (invitation) => invitation.email },
            { head: t.team.role, cell: (invitation) => t.team.roles[invitation.role] },
            { head: t.team.expires, cell: (invitation) => <Time at={invitation.expires_at} className="text-sm text-muted" /> },
            {
              head: t.common.actions,
              className: 'md:text-right',
              cell: (invitation) => (
                <span className="inline-flex gap-2">
                  <Button onClick={() => resend.mutate(invitation.id)}>{t.team.resend}</Button>
                  <Button onClick={() => withdraw.mutate(invitation.id)}>{t.team.withdraw}</Button>
                </span>
              ),
            },
          ]}
        />
      )}
      {inviting && (
        <Invite
          organization={organization}
          close={() => setInviting(false)}
          done={() => {
            setInviting(false);
            toast.done(t.team.invited);
            void changed();
          }}
        />
      )}
    </Section>
  );
}

function Invite({ organization, close, done }: { organization: string; close: () => void; done: () => void }) {
  const form = useForm(
    ({ email = '', role }) => ask(api.POST('/api/organizations/{org_id}/invitations', { params: { path: { org_id: organization } }, body: { email, role: role as Role } })),
    done,
  );
  return (
    <Dialog open onClose={close} title={t.team.inviteTitle} description={t.team.inviteHelp}>
      <form onSubmit={form.onSubmit} className="flex flex-col gap-3 pb-3">
        <TextField label={t.auth.email} name="email" type="email" required />
        <Select label={t.team.role} name="role" defaultValue="member" options={options} />
        <FormProblem error={form.error} />
        <Button kind="primary" type="submit" busy={form.busy}>
          {t.team.invite}
        </Button>
      </form>
    </Dialog>
  );
}
