import { t } from '@/i18n/en';

/** What a sign-in at a provider came to: its code in words. */
export const providerProblem = (code: string) => (Object.hasOwn(t.auth.providerProblems, code) ? t.auth.providerProblems[code as keyof typeof t.auth.providerProblems] : t.auth.providerFailed);
