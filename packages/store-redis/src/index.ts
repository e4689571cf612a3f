/** The memory of coordinators on Redis. The one front door of the package. */
export { type HostPort, isRedisAddress, parseRedisAddress, type RedisAddress } from './redis-address.ts';
export { RedisProblem, type RedisProblemKind } from './redis-problem.ts';
export { openRedisSharedStore, type RedisSharedStore, type RedisSharedStoreOptions } from './redis-shared-store.ts';
