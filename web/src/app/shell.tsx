import { Link, Outlet } from '@tanstack/react-router';
import { Menu as MenuIcon, Search } from 'lucide-react';
import { type Ref, Suspense, useCallback, useEffect, useRef, useState } from 'react';
import { t } from '@/i18n/en';
import { IconButton } from '@/ui/button';
import { layer, part } from '@/ui/part';
import { MEDIUM, useMedia } from '@/ui/use-media';
import { Waiting } from './badges';
import { useKeys } from './keys';
import { LiveState } from './live-state';
import { Mark } from './mark';
import { groups } from './nav';
import { usePreferences } from './preferences';
import { useSession } from './session';

const Rail = part(() => import('./rail'));
const Palette = layer(() => import('./palette'));
const Shortcuts = layer(() => import('./shortcuts'));
const Expired = part(() => import('./expired'));

export function Shell() {
  const organization = useSession((state) => state.organization);
  const expired = useSession((state) => state.expired);
  const wide = useMedia(MEDIUM);
  const [menu, setMenu] = useState(false);
  const more = useRef<HTMLButtonElement>(null);
  const closeMenu = useCallback(() => {
    setMenu(false);
    // Where the menu was opened; whoever goes on to a page from it comes to the page's heading.
    more.current?.focus();
  }, []);
  const [palette, setPalette] = useState(false);
  const [sheet, setSheet] = useState(false);
  const zone = usePreferences((now) => now.zone);
  useKeys({ palette: useCallback(() => setPalette((open) => !open), []), sheet: useCallback(() => setSheet(true), []) });
  useWhenSessionEnds();
  return (
    <div className="flex min-h-dvh flex-col md:flex-row">
      <a href="#content" className="sr-only z-40 rounded-md bg-accent px-3 py-1.5 text-on-accent focus:not-sr-only focus:fixed focus:top-2 focus:left-2">
        {t.common.skip}
      </a>
      {!wide && (
        <header className="sticky top-0 z-10 flex h-12 items-center gap-2 border-b border-line bg-bg pr-2 pl-3.5">
          <Mark className="size-6" />
          <span className="font-semibold">{t.product}</span>
          <LiveState className="ml-auto" />
          <IconButton label={t.nav.palette} onClick={() => setPalette(true)}>
            <Search className="size-5" aria-hidden="true" />
          </IconButton>
        </header>
      )}
      {menu && !wide && <button type="button" tabIndex={-1} aria-label={t.common.close} className="fixed inset-0 z-20 bg-scrim" onClick={closeMenu} />}
      {(wide || menu) && (
        // Its place is there before it is, so that nothing moves.
        <Suspense fallback={<div className="shrink-0 border-r border-line bg-subtle max-md:hidden md:h-dvh md:w-52" />}>
          <Rail drawer={!wide} close={closeMenu} search={() => setPalette(true)} keys={() => setSheet(true)} />
        </Suspense>
      )}
      <main id="content" tabIndex={-1} className="min-w-0 flex-1 max-md:pb-14" key={`${organization} ${zone}`}>
        <Outlet />
      </main>
      {!wide && <Bar place={more} open={menu} more={() => setMenu(true)} />}
      {palette && (
        <Suspense>
          <Palette close={() => setPalette(false)} keys={() => setSheet(true)} />
        </Suspense>
      )}
      {sheet && (
        <Suspense>
          <Shortcuts close={() => setSheet(false)} />
        </Suspense>
      )}
      {expired && (
        <Suspense>
          <Expired />
        </Suspense>
      )}
    </div>
  );
}

/** What asks for the password again is there when it is needed, whatever has become of the server's files by then. */
function useWhenSessionEnds() {
  useEffect(() => {
    const timer = setTimeout(Expired.preload, 15_000);
    return () => clearTimeout(timer);
  }, []);
}

const AT_HAND = ['/', '/workflows', '/runs', '/approvals'];
const PLACE = 'relative flex min-w-0 flex-1 flex-col items-center justify-center gap-0.5 text-xs text-muted data-[status=active]:font-medium data-[status=active]:text-fg';

/** On a phone: the pages that one goes to most, under the thumb, and the way to the others. */
function Bar({ place, open, more }: { place: Ref<HTMLButtonElement>; open: boolean; more: () => void }) {
  return (
    <nav aria-label={t.nav.atHand} className="fixed inset-x-0 bottom-0 z-10 flex h-14 border-t border-line bg-bg">
      {groups
        .flatMap((group) => group.items)
        .filter((item) => AT_HAND.includes(item.to))
        .map((item) => (
          <Link key={item.to} to={item.to} activeOptions={{ exact: item.to === '/' }} className={PLACE}>
            <item.icon className="size-5" aria-hidden="true" />
            <span className="max-w-full truncate px-1">{item.label}</span>
            {item.to === '/approvals' && <Waiting className="absolute top-1 left-1/2 ml-1" />}
          </Link>
        ))}
      <button ref={place} type="button" aria-expanded={open} onClick={more} className={PLACE}>
        <MenuIcon className="size-5" aria-hidden="true" />
        {t.nav.more}
      </button>
    </nav>
  );
}
