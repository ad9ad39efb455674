import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, ask } from '@/api/client';
import { scope } from '@/app/session';
import { t } from '@/i18n/en';
import { ButtonLink } from '@/ui/button';
import { Section } from '@/ui/page';
import { FormProblem } from '@/ui/states';

/** A definition out of a file, of this product or another; what could not be taken over word for word is said before one goes on. */
export function Import() {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [file, setFile] = useState('');
  const send = useMutation({
    mutationFn: async (chosen: File) => ask(api.POST('/api/workflows/import', { body: { source: await chosen.text() } })),
    onSuccess: async ({ workflow, findings }) => {
      await queries.invalidateQueries({ queryKey: [scope(), 'workflows'] });
      if (workflow && findings.length === 0) await navigate({ to: '/workflows/$workflowId', params: { workflowId: workflow.id } });
    },
    // The same file may be chosen again once it is mended.
    onSettled: () => setFile(''),
  });
  return (
    <Section title={t.workflow.import} hint={t.workflow.importHint}>
      <input
        type="file"
        aria-label={t.workflow.importFile}
        accept=".yaml,.yml,.json"
        className="input h-auto! py-1.5! file:mr-3 file:rounded-sm file:border file:border-solid file:border-line file:bg-subtle file:px-2 file:py-0.5"
        value={file}
        disabled={send.isPending}
        onChange={(event) => {
          const chosen = event.target.files?.[0];
          if (chosen) send.mutate(chosen);
        }}
      />
      <FormProblem error={send.error} />
      {send.data?.workflow && send.data.findings.length > 0 && (
        <div className="panel flex flex-col gap-2 p-4" role="status">
          <p className="font-medium">{t.workflow.imported(send.data.workflow.name)}</p>
          <ul className="list-disc pl-5 text-sm">
            {send.data.findings.map((finding, at) => (
              <li key={at} className="break-words">
                <code>{finding.pointer}</code> {finding.message}
              </li>
            ))}
          </ul>
          <ButtonLink to="/workflows/$workflowId" params={{ workflowId: send.data.workflow.id }} kind="primary" className="self-start">
            {t.workflows.open}
          </ButtonLink>
        </div>
      )}
    </Section>
  );
}
