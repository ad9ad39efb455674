// What a workflow may reach.
export const reach = {
  reach: {
    title: 'Access',
    of: (version: number) => `What version ${version} can reach`,
    hint: 'Read out of the definition. A name in ${ } is only known when the workflow runs.',
    nothing: 'Nothing outside: it only works on its own data.',
    kinds: {
      hosts: 'Hosts',
      read: 'Files that it reads',
      write: 'Files that it writes',
      processes: 'Programs',
      databases: 'Databases',
      mail: 'Mail',
      models: 'Models',
      workflows: 'Other workflows',
      secrets: 'Secrets',
      functions: 'Functions',
      destructive: 'May destroy',
      needs: 'For that it needs',
    },
    more: 'It can reach more than before',
    less: 'It can no longer reach',
    trigger: (type: string) => `${type.charAt(0).toUpperCase()}${type.slice(1)} changed`,
    none: 'none',
  },
} as const;
