import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { Ellipsis } from 'lucide-react';
import { useState } from 'react';
import { api, ask, type Schemas } from '@/api/client';
import { scope, useMay } from '@/app/session';
import { t } from '@/i18n/en';
import { Button } from '@/ui/button';
import { Confirm } from '@/ui/confirm';
import { Menu, MenuContent, MenuItem, MenuLine, MenuTrigger } from '@/ui/menu';
import { toast } from '@/ui/toast';

/** By a link, so that a page with changes that are not saved is not asked whether it is left. */
function download(id: string) {
  const link = document.createElement('a');
  link.href = `/api/workflows/${id}/export?${new URLSearchParams({ format: 'yaml', organization_id: scope() })}`;
  link.download = '';
  link.click();
}

/** What is done with a workflow as a whole: take its definition along, and, for those who may write it, switch it off and on or delete it. */
export function Standing({ workflow: { id, name, is_active: active } }: { workflow: Pick<Schemas['Workflow'], 'id' | 'name' | 'is_active'> }) {
  const writes = useMay('member');
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [deleting, setDeleting] = useState(false);
  const params = { path: { workflow_id: id } };
  const stale = () => queries.invalidateQueries({ queryKey: [scope(), 'workflows'] });
  const turn = useMutation({
    mutationFn: () => ask(api.PUT('/api/workflows/{workflow_id}', { params, body: { is_active: !active } })),
    onSuccess: async () => {
      await stale();
      toast.done(active ? t.workflow.switchedOff : t.workflow.switchedOn);
    },
    onError: toast.failed,
  });
  const remove = async () => {
    await ask(api.DELETE('/api/workflows/{workflow_id}', { params }));
    await navigate({ to: '/workflows' });
    queries.removeQueries({ queryKey: [scope(), 'workflows', 'one', id] });
    await stale();
  };
  return (
    <>
      <Menu>
        <MenuTrigger asChild>
          <Button className="ml-auto" busy={turn.isPending} aria-label={t.workflow.more}>
            <Ellipsis className="size-4" aria-hidden="true" />
          </Button>
        </MenuTrigger>
        <MenuContent>
          <MenuItem onSelect={() => download(id)}>{t.workflow.download}</MenuItem>
          {writes && (
            <>
              <MenuItem onSelect={() => turn.mutate()}>{active ? t.workflow.switchOff : t.workflow.switchOn}</MenuItem>
              <MenuLine />
              <MenuItem danger onSelect={() => setDeleting(true)}>
                {t.common.delete}
              </MenuItem>
            </>
          )}
        </MenuContent>
      </Menu>
      {deleting && <Confirm title={t.workflow.deleteTitle(name)} text={t.workflow.deleteSure} button={t.common.delete} close={() => setDeleting(false)} act={remove} />}
    </>
  );
}
