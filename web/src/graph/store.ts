import { create, type StoreApi, type UseBoundStore } from 'zustand';

export type TaskState = { status: string; attempt: number; times: number; faulted: number; ms: number | null };
export type Mark = 'added' | 'removed' | 'changed' | 'moved';
export type GraphStore = UseBoundStore<StoreApi<{ tasks: Record<string, TaskState>; findings: Record<string, number>; marks: Record<string, Mark> }>>;

/** What changes while the graph stays: each node reads its own entry. */
export function graphStore(marks: Record<string, Mark> = {}): GraphStore {
  return create(() => ({ tasks: {}, findings: {}, marks }));
}
