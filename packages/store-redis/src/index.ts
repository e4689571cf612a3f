/** The store on Redis. The one front door of the package. */
export { openRedisStore, type RedisStoreOptions } from './redis-store.ts';
