import type { Store } from '@rollcall/core';
import { memoryStore } from '@rollcall/core';
import { openFileStore } from './file-store.ts';

/** Key prefix in Redis, so that several deployments can share one server. */
const REDIS_PREFIX = 'rollcall';

/**
 * Opens the store that `spec` names: `memory`, `file:PATH`, or `redis://…` and `rediss://…`. `undefined` for other texts. Also
 * resolves if the store is unreachable: the coordinator starts without it. `onProblem` receives later problems.
 */
export async function openStore(spec: string, onProblem: (message: string) => void): Promise<Store | undefined> {
  if (spec === 'memory') return memoryStore();
  if (spec.startsWith('file:') && spec.length > 'file:'.length)
    return openFileStore({ path: spec.slice('file:'.length), onProblem });
  if (/^rediss?:\/\//.test(spec)) {
    // Loaded on demand, because ioredis takes long to load.
    const { openRedisStore } = await import('@rollcall/store-redis');
    return openRedisStore({ url: spec, prefix: REDIS_PREFIX, onProblem });
  }
  return undefined;
}
