import type { SharedStore, Store } from '@rollcall/core';
import { memoryStore } from '@rollcall/core';
import { isRedisAddress, openRedisSharedStore } from '@rollcall/store-redis';
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

export interface SharedStoreOptions {
  /** Default `rollcall`. */
  readonly clusterName?: string | undefined;
  /** Certificate authorities in the place of those of Node.js, PEM. */
  readonly ca?: string | undefined;
  readonly onProblem: (message: string) => void;
}

/** Opens the store that several coordinators share; `undefined` if `spec` names a store of one coordinator. */
export async function openSharedStore(
  spec: string,
  { clusterName, ca, onProblem }: SharedStoreOptions,
): Promise<SharedStore | undefined> {
  if (!isRedisAddress(spec)) return undefined;
  return openRedisSharedStore({
    url: spec,
    prefix: clusterName ?? CLUSTER_NAME,
    ...(ca !== undefined && { ca }),
    onProblem: ({ message }) => onProblem(message),
  });
}
