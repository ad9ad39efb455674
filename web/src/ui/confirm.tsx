import { useMutation } from '@tanstack/react-query';
import { t } from '@/i18n/en';
import { Button } from './button';
import { Dialog } from './dialog';
import { FormProblem } from './states';

/** Asks before something that cannot be taken back. */
export function Confirm({ title, text, button, act, close }: { title: string; text: string; button: string; act: () => Promise<unknown>; close: () => void }) {
  const done = useMutation({ mutationFn: act, onSuccess: close });
  return (
    <Dialog
      open
      onClose={close}
      title={title}
      description={text}
      footer={
        <>
          <Button onClick={close}>{t.common.cancel}</Button>
          <Button kind="danger" busy={done.isPending} onClick={() => done.mutate()}>
            {button}
          </Button>
        </>
      }
    >
      <FormProblem error={done.error} />
    </Dialog>
  );
}
