import { api, ask } from '@/api/client';
import { t } from '@/i18n/en';
import { useForm } from '@/pages/auth/form';
import { Button } from '@/ui/button';
import { Dialog } from '@/ui/dialog';
import { TextField } from '@/ui/field';
import { FormProblem } from '@/ui/states';
import { loadMe } from './session';

/** The one who makes it owns it, and works in it from then on. */
export default function NewOrganization({ close, made }: { close: () => void; made: (id: string) => void }) {
  const form = useForm(
    async ({ name = '' }) => {
      const organization = await ask(api.POST('/api/organizations', { body: { name } }));
      await loadMe();
      return organization;
    },
    ({ id }) => made(id),
  );
  return (
    <Dialog open onClose={close} title={t.team.newOrganization} description={t.team.newHelp}>
      <form onSubmit={form.onSubmit} className="flex flex-col gap-3 pb-3">
        <TextField label={t.team.organizationName} name="name" required maxLength={200} autoComplete="organization" />
        <FormProblem error={form.error} />
        <Button kind="primary" type="submit" className="self-start" busy={form.busy}>
          {t.team.create}
        </Button>
      </form>
    </Dialog>
  );
}
