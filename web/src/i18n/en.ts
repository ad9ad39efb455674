// Every text of the interface. Another language is another file of this shape.
import { account } from './en-account';
import { admin } from './en-admin';
import { agent } from './en-agent';
import { approvals } from './en-approvals';
import { assistant } from './en-assistant';
import { build } from './en-build';
import { healing } from './en-healing';
import { home } from './en-home';
import { notifications } from './en-notifications';
import { pages } from './en-pages';
import { reach } from './en-reach';
import { triggers } from './en-triggers';
import { work } from './en-work';

export const t = {
  product: 'Pawl',
  common: {
    close: 'Close',
    cancel: 'Cancel',
    save: 'Save',
    delete: 'Delete',
    retry: 'Try again',
    loading: 'Loading',
    more: 'Load more',
    search: 'Search',
    copy: 'Copy',
    copied: 'Copied',
    all: 'All',
    yes: 'Yes',
    no: 'No',
    none: 'None',
    never: 'Never',
    notifications: 'Messages',
    skip: 'Skip to the content',
    actions: 'Actions',
    back: 'Back',
    you: 'you',
  },
  problem: {
    unknown: 'Something went wrong',
    offline: 'The server cannot be reached',
    offlineHelp: 'Check the connection and that the server runs, then try again.',
    request: 'Request',
    whole: 'the request',
    notFound: 'There is no such page',
    notFoundHelp: 'The address may be old or mistyped.',
    crashed: 'This page could not be shown',
  },
  status: {
    pending: 'Pending',
    running: 'Running',
    waiting: 'Waiting',
    suspended: 'Suspended',
    cancelled: 'Cancelled',
    faulted: 'Faulted',
    completed: 'Completed',
    skipped: 'Skipped',
    retrying: 'Retrying',
  },
  nav: {
    label: 'Main',
    work: 'Work',
    build: 'Build',
    govern: 'Govern',
    home: 'Home',
    workflows: 'Workflows',
    runs: 'Runs',
    schedules: 'Schedules',
    deadLetters: 'Dead letters',
    functions: 'Functions',
    integrations: 'Integrations',
    audit: 'Audit',
    organization: 'Organization',
    admin: 'Administration',
    profile: 'Profile',
    menu: 'Open the menu',
    palette: 'Search and commands',
    organizationMenu: 'Organization',
    accountMenu: 'Your account',
    theme: 'Theme',
    system: 'System',
    light: 'Light',
    dark: 'Dark',
    signOut: 'Sign out',
    apiDocs: 'API documentation',
    reconnecting: 'Reconnecting',
    live: 'Live',
  },
  palette: {
    title: 'Commands',
    placeholder: 'Go to a page, a workflow or a run',
    empty: 'Nothing found',
    pages: 'Pages',
    workflows: 'Workflows',
    actions: 'Actions',
    newWorkflow: 'New workflow',
  },
  ...account,
  ...admin,
  ...agent,
  ...approvals,
  ...assistant,
  ...build,
  ...healing,
  ...notifications,
  ...home,
  ...reach,
  ...triggers,
  ...work,
  ...pages,
} as const;
