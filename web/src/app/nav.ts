// The navigation: pages that are there, nothing else.
import { Bell, Blocks, BookMarked, Calendar, CircleCheckBig, History, House, Inbox, type LucideIcon, Plug, ServerCog, ShieldCheck, Sparkles, UserRound, UsersRound, Workflow } from 'lucide-react';
import { t } from '@/i18n/en';
import type { Role } from './session';

export type NavItem = { to: '/' | '/approvals' | '/workflows' | '/runs' | '/notifications' | '/schedules' | '/dead-letters' | '/functions' | '/integrations' | '/audit' | '/organization' | '/admin' | '/assistant' | '/assistant/memory' | '/profile'; label: string; icon: LucideIcon; role?: Role; superuser?: boolean };

export const groups: { label: string; items: NavItem[] }[] = [
  {
    label: t.nav.work,
    items: [
      { to: '/', label: t.nav.home, icon: House },
      { to: '/workflows', label: t.nav.workflows, icon: Workflow },
      { to: '/runs', label: t.nav.runs, icon: History },
      { to: '/approvals', label: t.approvals.title, icon: CircleCheckBig },
      { to: '/notifications', label: t.notifications.title, icon: Bell },
      { to: '/schedules', label: t.nav.schedules, icon: Calendar },
      { to: '/dead-letters', label: t.nav.deadLetters, icon: Inbox },
    ],
  },
  {
    label: t.nav.build,
    items: [
      { to: '/functions', label: t.nav.functions, icon: Blocks },
      { to: '/integrations', label: t.nav.integrations, icon: Plug },
      { to: '/assistant', label: t.assistant.title, icon: Sparkles, role: 'member' },
      { to: '/assistant/memory', label: t.memories.title, icon: BookMarked },
    ],
  },
  {
    label: t.nav.govern,
    items: [
      { to: '/audit', label: t.nav.audit, icon: ShieldCheck, role: 'admin' },
      { to: '/organization', label: t.nav.organization, icon: UsersRound },
      { to: '/admin', label: t.nav.admin, icon: ServerCog, superuser: true },
      { to: '/profile', label: t.nav.profile, icon: UserRound },
    ],
  },
];
