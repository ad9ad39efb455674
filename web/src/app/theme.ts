import { create } from 'zustand';

export type Theme = 'system' | 'light' | 'dark';
const KEY = 'pawl.theme';
const dark = matchMedia('(prefers-color-scheme: dark)');

function stored(): Theme {
  const value = localStorage.getItem(KEY);
  return value === 'light' || value === 'dark' ? value : 'system';
}

function show(theme: Theme): void {
  document.documentElement.dataset.theme = theme === 'dark' || (theme === 'system' && dark.matches) ? 'dark' : 'light';
}

export const useTheme = create<{ theme: Theme; choose: (theme: Theme) => void }>((set) => ({
  theme: stored(),
  choose: (theme) => {
    localStorage.setItem(KEY, theme);
    show(theme);
    set({ theme });
  },
}));

dark.addEventListener('change', () => show(useTheme.getState().theme));
