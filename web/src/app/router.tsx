import { createRootRoute, createRoute, createRouter, lazyRouteComponent, notFound, Outlet, redirect, rootRouteId } from '@tanstack/react-router';
import { AuthFrame } from '@/pages/auth/frame';
import { Crashed, CrashedOutside, NotFound, NotFoundInside } from '@/pages/not-found';
import { whyMissing } from '@/ui/part';
import { loadMe, useSession } from './session';
import { Shell } from './shell';

const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : typeof value === 'number' ? String(value) : undefined);
/** The named search parameters that are there, as text. */
function only<const K extends string>(...names: K[]) {
  return (search: Record<string, unknown>): { [P in K]?: string } => {
    const kept: { [P in K]?: string } = {};
    for (const name of names) {
      const value = text(search[name]);
      if (value !== undefined) kept[name] = value;
    }
    return kept;
  };
}

/** A page's code. Where the server has it no more, the router loads the document anew, once; where the server is away, that would lose the document. */
const page = <T extends Record<string, unknown>, K extends keyof T>(load: () => Promise<T>, name: K) =>
  lazyRouteComponent(
    () =>
      load().catch(async (cause: unknown) => {
        const reason = await whyMissing();
        throw reason.status === 0 ? reason : cause;
      }),
    name,
  );

const root = createRootRoute({ component: Outlet, notFoundComponent: NotFound, errorComponent: CrashedOutside });

const outside = createRoute({ getParentRoute: () => root, id: 'outside', component: AuthFrame });
const login = createRoute({
  getParentRoute: () => outside,
  path: '/login',
  validateSearch: only('to', 'error'),
  component: page(() => import('@/pages/auth/login'), 'LoginPage'),
});
const register = createRoute({ getParentRoute: () => outside, path: '/register', component: page(() => import('@/pages/auth/register'), 'RegisterPage') });
const setup = createRoute({ getParentRoute: () => outside, path: '/setup', component: page(() => import('@/pages/auth/register'), 'SetupPage') });
const forgot = createRoute({ getParentRoute: () => outside, path: '/forgot-password', component: page(() => import('@/pages/auth/recover'), 'ForgotPage') });
const reset = createRoute({ getParentRoute: () => outside, path: '/reset-password', component: page(() => import('@/pages/auth/recover'), 'ResetPage') });
const verify = createRoute({ getParentRoute: () => outside, path: '/verify-email', component: page(() => import('@/pages/auth/recover'), 'VerifyPage') });
const invitation = createRoute({ getParentRoute: () => outside, path: '/invitation', component: page(() => import('@/pages/auth/invitation'), 'InvitationPage') });

const inside = createRoute({
  getParentRoute: () => root,
  id: 'inside',
  component: Shell,
  beforeLoad: async ({ location, matches }) => {
    if (useSession.getState().me) return;
    await loadMe().catch((error: unknown) => {
      if ((error as { status?: number }).status !== 401) throw error;
      // Nobody has to sign in to hear that there is no such page.
      if (matches.some((match) => match.routeId === '/inside/$')) throw notFound({ routeId: rootRouteId });
      throw redirect({ to: '/login', search: location.pathname === '/' ? {} : { to: location.href } });
    });
  },
});
const home = createRoute({ getParentRoute: () => inside, path: '/', validateSearch: only('window'), component: page(() => import('@/pages/home/home'), 'HomePage') });
const workflows = createRoute({
  getParentRoute: () => inside,
  path: '/workflows',
  validateSearch: only('q', 'active', 'sort'),
  component: page(() => import('@/pages/workflows/list'), 'WorkflowsPage'),
});
const newWorkflow = createRoute({ getParentRoute: () => inside, path: '/workflows/new', component: page(() => import('@/pages/workflow/new'), 'NewWorkflowPage') });
const newEdit = createRoute({ getParentRoute: () => inside, path: '/workflows/new/$from', component: page(() => import('@/pages/workflow/edit'), 'NewEditPage') });
const workflow = createRoute({ getParentRoute: () => inside, path: '/workflows/$workflowId', component: page(() => import('@/pages/workflow/frame'), 'WorkflowFrame') });
const edit = createRoute({ getParentRoute: () => workflow, path: '/', validateSearch: only('at', 'version'), component: page(() => import('@/pages/workflow/edit'), 'EditPage') });
const workflowRuns = createRoute({ getParentRoute: () => workflow, path: '/runs', component: page(() => import('@/pages/workflow/runs'), 'WorkflowRunsPage') });
const versions = createRoute({
  getParentRoute: () => workflow,
  path: '/versions',
  validateSearch: only('from', 'to', 'view'),
  component: page(() => import('@/pages/workflow/versions'), 'VersionsPage'),
});
const access = createRoute({ getParentRoute: () => workflow, path: '/access', component: page(() => import('@/pages/workflow/reach-page'), 'ReachPage') });
const triggers = createRoute({ getParentRoute: () => workflow, path: '/triggers', component: page(() => import('@/pages/workflow/triggers'), 'TriggersPage') });
const runs = createRoute({
  getParentRoute: () => inside,
  path: '/runs',
  validateSearch: only('q', 'status', 'since', 'workflow'),
  component: page(() => import('@/pages/runs/list'), 'RunsPage'),
});
const run = createRoute({
  getParentRoute: () => inside,
  path: '/runs/$runId',
  validateSearch: only('task', 'view', 'read'),
  component: page(() => import('@/pages/runs/view'), 'RunPage'),
});
const approvals = createRoute({
  getParentRoute: () => inside,
  path: '/approvals',
  validateSearch: only('status', 'mine'),
  component: page(() => import('@/pages/approvals/approvals'), 'ApprovalsPage'),
});
// The list stays beside the one that is shown.
const approval = createRoute({ getParentRoute: () => approvals, path: '/$approvalId' });
const notifications = createRoute({ getParentRoute: () => inside, path: '/notifications', validateSearch: only('tab', 'show', 'kind'), component: page(() => import('@/pages/notifications/notifications'), 'NotificationsPage') });
const schedules = createRoute({ getParentRoute: () => inside, path: '/schedules', component: page(() => import('@/pages/more/schedules'), 'SchedulesPage') });
const deadLetters = createRoute({ getParentRoute: () => inside, path: '/dead-letters', component: page(() => import('@/pages/more/dead-letters'), 'DeadLettersPage') });
const functions = createRoute({
  getParentRoute: () => inside,
  path: '/functions',
  validateSearch: only('q'),
  component: page(() => import('@/pages/more/functions'), 'FunctionsPage'),
});
const oneFunction = createRoute({ getParentRoute: () => inside, path: '/functions/$name', component: page(() => import('@/pages/more/function'), 'FunctionPage') });
const integrations = createRoute({ getParentRoute: () => inside, path: '/integrations', component: page(() => import('@/pages/integrations/list'), 'IntegrationsPage') });
const audit = createRoute({
  getParentRoute: () => inside,
  path: '/audit',
  validateSearch: only('q', 'outcome', 'since'),
  component: page(() => import('@/pages/more/audit'), 'AuditPage'),
});
const organization = createRoute({ getParentRoute: () => inside, path: '/organization', component: page(() => import('@/pages/organization/organization'), 'OrganizationPage') });
const admin = createRoute({ getParentRoute: () => inside, path: '/admin', validateSearch: only('tab', 'q'), component: page(() => import('@/pages/admin/admin'), 'AdminPage') });
const assistant = createRoute({ getParentRoute: () => inside, path: '/assistant', component: page(() => import('@/pages/assistant/assistant'), 'AssistantPage') });
const memory = createRoute({ getParentRoute: () => inside, path: '/assistant/memory', component: page(() => import('@/pages/assistant/memory'), 'MemoryPage') });
const profile = createRoute({ getParentRoute: () => inside, path: '/profile', validateSearch: only('linked', 'error'), component: page(() => import('@/pages/profile/profile'), 'ProfilePage') });
const nowhere = createRoute({ getParentRoute: () => inside, path: '$', component: NotFoundInside });

export const routeTree = root.addChildren([
  outside.addChildren([login, register, setup, forgot, reset, verify, invitation]),
  inside.addChildren([home, workflows, newWorkflow, newEdit, workflow.addChildren([edit, workflowRuns, triggers, access, versions]), runs, run, approvals.addChildren([approval]), notifications, schedules, deadLetters, functions, oneFunction, integrations, audit, organization, admin, assistant, memory, profile, nowhere]),
]);

export const router = createRouter({ routeTree, defaultErrorComponent: Crashed, defaultPreload: 'intent', scrollRestoration: true, defaultPreloadStaleTime: 0 });

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
