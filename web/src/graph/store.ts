import { create, type StoreApi, type UseBoundStore } from 'zustand';

export type TaskState = { status: string; attempt: number; times: number; faulted: number; ms: number | null };
export type GraphStore = UseBoundStore<StoreApi<{ tasks: Record<string, TaskState>; findings: Record<string, number> }>>;

/** What changes while the graph stays: each node reads its own entry. */
export function graphStore(): GraphStore {
  return create(() => ({ tasks: {}, findings: {} }));
}
