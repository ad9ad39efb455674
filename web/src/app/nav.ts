// The navigation: pages that are there, nothing else.
import { type LucideIcon, Workflow } from 'lucide-react';
import { t } from '@/i18n/en';
import type { Role } from './session';

export type NavItem = { to: '/workflows'; label: string; icon: LucideIcon; role?: Role; superuser?: boolean };

export const groups: { label: string; items: NavItem[] }[] = [{ label: t.nav.work, items: [{ to: '/workflows', label: t.nav.workflows, icon: Workflow }] }];
