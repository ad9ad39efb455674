import { Fragment } from 'react';
import { t } from '@/i18n/en';
import { Checkbox } from '@/ui/field';
import { Dialog } from '@/ui/dialog';
import { GO } from './keys';
import { groups } from './nav';
import { usePreferences } from './preferences';

/** All keys that do something, and whether single letters do. */
export default function Shortcuts({ close }: { close: () => void }) {
  const { letters, chooseLetters } = usePreferences();
  const pages = groups.flatMap((group) => group.items);
  const sections: [string, [string, string][]][] = [
    [
      t.keys.everywhere,
      [
        ['Ctrl K', t.nav.palette],
        ['/', t.keys.search],
        ['?', t.keys.title],
        ['Esc', t.keys.close],
      ],
    ],
    [
      t.keys.editor,
      [
        ['Ctrl S', t.common.save],
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
      <div className="grid gap-x-8 gap-y-5 pb-4 sm:grid-cols-2">
        {sections.map(([title, keys], at) => (
          <section key={title} className={at === sections.length - 1 ? 'sm:col-start-2 sm:row-span-2 sm:row-start-1' : undefined}>
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
        <div className="border-t border-line pt-3 sm:col-span-2">
          <Checkbox name="letters" label={t.keys.letters} checked={letters} onChange={(event) => chooseLetters(event.target.checked)} />
        </div>
      </div>
    </Dialog>
  );
}
