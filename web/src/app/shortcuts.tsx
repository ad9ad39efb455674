import { Fragment } from 'react';
import { t } from '@/i18n/en';
import { Checkbox } from '@/ui/field';
import { Dialog } from '@/ui/dialog';
import { GO } from './keys';
import { groups } from './nav';
import { prefer, usePreferences } from './preferences';

/** All keys that do something, and whether single letters do. */
export default function Shortcuts({ close }: { close: () => void }) {
  const letters = usePreferences((now) => now.letters);
  const pages = groups.flatMap((group) => group.items);
  const sections: [string, [string, string][]][] = [
    [
      t.keys.everywhere,
      [
        [t.keys.palette, t.nav.palette],
        ['/', t.keys.search],
        ['?', t.keys.title],
        ['Esc', t.keys.close],
      ],
    ],
    [
      t.keys.lists,
      [
        ['j', t.keys.down],
        ['k', t.keys.up],
        ['Enter', t.keys.open],
        ['Space', `${t.nav.workflows}, ${t.nav.runs}: ${t.keys.peek}`],
        ['x', `${t.runs.title}: ${t.keys.pick}`],
        ['Esc', `${t.runs.title}: ${t.keys.none}`],
      ],
    ],
    [
      t.keys.run,
      [
        ['j', t.keys.nextTask],
        ['k', t.keys.previousTask],
        ['e', t.keys.nextError],
        ['i', t.runs.view.data],
        ['t', t.runs.view.timeline],
        ['l', t.runs.view.logs],
        ['[', t.keys.olderRun],
        [']', t.keys.newerRun],
        ['Shift R', t.keys.retry],
      ],
    ],
    [
      t.keys.trace,
      [
        ['m', t.agent.reading.messages],
        ['t', t.agent.reading.turns],
        ['d', t.agent.reading.details],
      ],
    ],
    [
      t.approvals.title,
      [
        ['a', t.keys.approve],
        ['Shift R', t.keys.reject],
      ],
    ],
    [
      t.keys.editor,
      [
        ['Ctrl S', t.common.save],
        ['Ctrl Enter', t.editor.test],
        ['Ctrl Shift Enter', t.execute.dry],
        ['Alt ↑', t.editor.up],
        ['Alt ↓', t.editor.down],
        ['F2', t.editor.rename],
        ['Ctrl .', t.keys.fix],
        ['Ctrl Space', t.keys.complete],
        ['Ctrl F', t.keys.find],
        ['F8', t.keys.nextFinding],
        ['Ctrl Z', t.keys.undo],
        ['Tab', t.keys.leave],
      ],
    ],
    [t.keys.go, Object.entries(GO).map(([key, to]) => [`g ${key}`, pages.find((page) => page.to === to)?.label ?? to])],
  ];
  return (
    <Dialog open onClose={close} title={t.keys.title} wide>
      <div className="pb-4">
        <div className="gap-x-8 sm:columns-2">
        {sections.map(([title, keys]) => (
          <section key={title} className="break-inside-avoid pb-5">
            <h3 className="mb-2 text-sm font-medium text-muted">{title}</h3>
            <dl className="grid grid-cols-[1fr_auto] items-center gap-x-4 gap-y-1.5">
              {keys.map(([key, does]) => (
                <Fragment key={key}>
                  <dt>{does}</dt>
                  <dd className="flex gap-1">
                    {key.split(' ').map((one, index) => (
                      <kbd key={index} className="min-w-6 rounded-sm border border-line bg-subtle px-1.5 text-center font-sans text-xs leading-5">
                        {one}
                      </kbd>
                    ))}
                  </dd>
                </Fragment>
              ))}
            </dl>
          </section>
        ))}
        </div>
        <div className="border-t border-line pt-3">
          <Checkbox name="letters" label={t.keys.letters} checked={letters} onChange={(event) => prefer({ letter_shortcuts: event.target.checked })} />
        </div>
      </div>
    </Dialog>
  );
}
