import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ask } from '@/api/client';
import { t } from '@/i18n/en';
import { Button } from '@/ui/button';
import { Confirm } from '@/ui/confirm';
import { count } from '@/ui/format';
import { Section } from '@/ui/page';
import { FormProblem, Loading, ProblemView } from '@/ui/states';
import { Table } from '@/ui/table';

export function Data() {
  const policy = useQuery({ queryKey: ['admin', 'retention'], queryFn: () => ask(api.GET('/api/admin/data-retention/policy')) });
  const [asking, setAsking] = useState(false);
  const clean = useMutation({
    mutationFn: (dry: boolean) => ask(api.POST('/api/admin/data-retention/cleanup', { params: { query: { dry_run: dry ? 'true' : 'false' } } })),
  });
  if (policy.isPending) return <Loading />;
  if (policy.error) return <ProblemView error={policy.error} retry={() => void policy.refetch()} />;
  const gone = (clean.data?.items ?? []).filter((one) => one.count > 0);
  const said = gone.map((one) => `${count(one.count)} ${one.type.replaceAll('_', ' ')}`).join(', ') || t.admin.nothing;
  return (
    <Section
      title={t.admin.retention}
      hint={t.admin.retentionHint}
      actions={
        <>
          <Button busy={clean.isPending} onClick={() => clean.mutate(true)}>
            {t.admin.cleanTry}
          </Button>
          <Button kind="danger" onClick={() => setAsking(true)}>
            {t.admin.clean}
          </Button>
        </>
      }
    >
      <output className="empty:hidden">{clean.data && <p>{clean.data.dry_run ? t.admin.wouldGo(said) : t.admin.gone(said)}</p>}</output>
      <FormProblem error={clean.error} />
      <Table
        caption={t.admin.retention}
        rows={policy.data.items}
        id={(rule) => rule.type}
        columns={[
          { head: t.admin.what, cell: (rule) => <span className="font-medium">{rule.type.replaceAll('_', ' ')}</span> },
          { head: t.admin.ageOf, cell: (rule) => <span className="text-muted">{rule.age_of.replaceAll('_', ' ')}</span> },
          { head: t.admin.setting, cell: (rule) => <span className="font-mono text-sm text-muted">{rule.setting ?? '—'}</span> },
          { head: t.admin.keptFor, cell: (rule) => (rule.keep_hours === null ? t.admin.forEver : rule.keep_hours % 24 === 0 ? t.admin.days(rule.keep_hours / 24) : t.admin.hours(rule.keep_hours)) },
        ]}
      />
      {asking && <Confirm title={t.admin.clean} text={t.admin.cleanSure} button={t.admin.clean} act={() => clean.mutateAsync(false)} close={() => setAsking(false)} />}
    </Section>
  );
}
