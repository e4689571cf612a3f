import type { Store } from '@rollcall/core';
import { memoryStore } from '@rollcall/core';
import { openRedisStore } from '@rollcall/store-redis';
import { openFileStore } from './file-store.ts';

/** Key prefix in Redis, so that several deployments may share one server. */
const REDIS_PREFIX = 'rollcall';

/**
 * Opens the store that `spec` names: `memory`, `file:PATH`, or `redis://…` and `rediss://…`. `undefined` for anything else.
 * Resolves also when the medium is away: the coordinator starts all the same. `onProblem` hears of what goes wrong later.
 */
export async function openStore(spec: string, onProblem: (message: string) => void): Promise<Store | undefined> {
  if (spec === 'memory') return memoryStore();
  if (spec.startsWith('file:') && spec.length > 'file:'.length)
    return openFileStore({ path: spec.slice('file:'.length), onProblem });
  if (/^rediss?:\/\//.test(spec)) return openRedisStore({ url: spec, prefix: REDIS_PREFIX, onProblem });
  return undefined;
}
