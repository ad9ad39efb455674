import { ButtonLink } from '@/ui/button';
import { Link } from '@tanstack/react-router';
import { SAMPLES } from '@/editor/samples';
import { t } from '@/i18n/en';
import { Page, Section } from '@/ui/page';
import { Import } from './import';

export function NewWorkflowPage() {
  return (
    <Page title={t.workflows.new} actions={<ButtonLink to="/workflows">{t.common.cancel}</ButtonLink>}>
      <Section title={t.workflow.start} hint={t.workflow.startHint}>
        <ul className="grid gap-3 sm:grid-cols-2">
          <Start id="blank" name={t.workflow.blank} about={t.workflow.blankAbout} />
          {SAMPLES.map((sample) => (
            <Start key={sample.id} id={sample.id} name={sample.name} about={sample.about} />
          ))}
        </ul>
      </Section>
      <Import />
    </Page>
  );
}

function Start({ id, name, about }: { id: string; name: string; about: string }) {
  return (
    <li>
      <Link to="/workflows/new/$from" params={{ from: id }} className="panel flex h-full flex-col gap-1 p-4 hover:border-strong hover:bg-subtle">
        <span className="font-medium">{name}</span>
        <span className="text-muted">{about}</span>
      </Link>
    </li>
  );
}
