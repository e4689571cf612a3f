/** The memory of coordinators on Redis. The one front door of the package. */
export { type HostPort, isRedisAddress, parseRedisAddress, type RedisAddress } from './redis-address.ts';
export { RedisProblem, type RedisProblemKind } from './redis-problem.ts';
export type { RedisSharedStore, RedisSharedStoreOptions } from './redis-shared-store.ts';

import type { RedisSharedStore, RedisSharedStoreOptions } from './redis-shared-store.ts';

/**
 * Opens the store. Resolves when there is a connection, or after `openWithinMs`. In the second case the store continues to connect, and the
 * methods reject until then. Rejects with a RangeError for an invalid address or prefix. Loads ioredis: the parser of addresses does not.
 */
export async function openRedisSharedStore(options: RedisSharedStoreOptions): Promise<RedisSharedStore> {
  const onRedis = await import('./redis-shared-store.ts');
  return onRedis.openRedisSharedStore(options);
}
