// What somebody wrote as a task's data for tests: kept in this tab, gone with it or with the sign-out.
import { forgetPins, PIN } from '@/app/session';

export type Pin = { input?: string; context?: string; variables?: string };
const nameOf = (workflow: string, task: string) => `${PIN}${workflow}.${task}`;

export function pinOf(workflow: string, task: string): Pin {
  try {
    return (JSON.parse(sessionStorage.getItem(nameOf(workflow, task)) ?? '{}') ?? {}) as Pin;
  } catch {
    return {};
  }
}

export function keepPin(workflow: string, task: string, pin: Pin): void {
  const name = nameOf(workflow, task);
  if (Object.keys(pin).length === 0) return sessionStorage.removeItem(name);
  try {
    sessionStorage.setItem(name, JSON.stringify(pin));
  } catch {
    // The browser's store is full: it is still on the screen.
    forgetPins();
  }
}
