import type { SharedStore, Store } from '@rollcall/core';
import { memoryStore } from '@rollcall/core';
import { openFileStore } from './file-store.ts';

/** Name of the cluster in a shared store, unless the operator gives one: several clusters can share one server. */
const CLUSTER_NAME = 'rollcall';

/**
 * Opens the own store that `spec` names: `memory` or `file:PATH`. `undefined` for other texts. Also resolves if the store cannot be
 * read: the coordinator starts without it. `onProblem` receives later problems.
 */
export async function openStore(spec: string, onProblem: (message: string) => void): Promise<Store | undefined> {
  if (spec === 'memory') return memoryStore();
  if (spec.startsWith('file:') && spec.length > 'file:'.length)
    return openFileStore({ path: spec.slice('file:'.length), onProblem });
  return undefined;
}

/** Opens the store that several coordinators share; `undefined` if `spec` names a store of one coordinator. */
export async function openSharedStore(
  spec: string,
  clusterName: string | undefined,
  onProblem: (message: string) => void,
): Promise<SharedStore | undefined> {
  if (!/^rediss?(?:-sentinel|-cluster)?:\/\//.test(spec)) return undefined;
  // Loaded on demand, because ioredis takes long to load.
  const { openRedisSharedStore } = await import('@rollcall/store-redis');
  return openRedisSharedStore({
    url: spec,
    prefix: clusterName ?? CLUSTER_NAME,
    onProblem: ({ message }) => onProblem(message),
  });
}
