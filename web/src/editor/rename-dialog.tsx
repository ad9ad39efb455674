import { useState } from 'react';
import { t } from '@/i18n/en';
import { Button } from '@/ui/button';
import { Dialog } from '@/ui/dialog';
import { TextField } from '@/ui/field';

/** `rename` tells what is wrong with the name, or nothing once it is done. */
export default function RenameDialog({ name, rename, close }: { name: string; rename: (now: string) => Promise<string | undefined>; close: () => void }) {
  const [now, setNow] = useState(name);
  const [problem, setProblem] = useState<string>();
  const done = async () => {
    const wrong = now.trim() === name ? undefined : await rename(now.trim());
    setProblem(wrong);
    if (!wrong) close();
  };
  return (
    <Dialog
      open
      onClose={close}
      title={t.editor.renameTitle(name)}
      description={t.editor.renameHelp}
      footer={
        <>
          <Button onClick={close}>{t.common.cancel}</Button>
          <Button kind="primary" type="submit" form="rename" disabled={now.trim() === ''}>
            {t.editor.rename}
          </Button>
        </>
      }
    >
      <form
        id="rename"
        className="pb-2"
        onSubmit={(event) => {
          event.preventDefault();
          void done();
        }}
      >
        <TextField label={t.editor.newName} value={now} error={problem} maxLength={200} required onChange={(event) => setNow(event.target.value)} />
      </form>
    </Dialog>
  );
}
