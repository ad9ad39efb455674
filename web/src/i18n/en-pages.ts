// The other pages.
export const pages = {} as const;
