/**
 * The store in Redis, shared by coordinators. Redis is a cache of the state that agents and operators have set, not the
 * authority. While Redis is unreachable, every method rejects within the command timeout.
 */
import { randomBytes } from 'node:crypto';
import type { Store, StoredRecord, StoreListener, WriteOutcome } from '@rollcall/core';
import type { Redis } from 'ioredis';
import { ChangeWatch } from './change-watch.ts';
import type { Keys } from './keys.ts';
import { keysOf } from './keys.ts';
import { PRUNE, REMOVE, WRITE } from './lua.ts';
import { connectRedis, reasonOf } from './redis-connection.ts';
import { argumentsOf, FIELDS, readWritten, type Written } from './stored-record.ts';

export interface RedisStoreOptions {
  /** `redis://` or `rediss://`, with user, password and database as ioredis understands them. */
  readonly url: string;
  /** Prefix of all keys, `[A-Za-z0-9:_-]{1,64}`. Each deployment on one Redis needs its own. */
  readonly prefix: string;
  /**
   * Receives one sentence per background problem, such as a lost connection, and none after `close`. Errors of a method reject its
   * promise.
   */
  readonly onProblem: (message: string) => void;
  /** Longest wait of `openRedisStore` for Redis, milliseconds. Default 2,000. */
  readonly openWithinMs?: number;
  /** Time limit of a command, milliseconds. Default 500. */
  readonly commandTimeoutMs?: number;
  /** Interval of the full syncs of each listener, milliseconds. Default 5,000. */
  readonly syncMs?: number;
}

/** Maximum number of records in one script call. Redis serves no other command during a script. */
const MAX_PER_CALL = 100;

/**
 * Opens the store. Resolves when Redis answers, or after `openWithinMs`. In the second case the store continues to connect, and
 * the methods reject until Redis answers. Rejects with a RangeError for an invalid prefix.
 */
export async function openRedisStore(options: RedisStoreOptions): Promise<Store> {
  const store = new RedisStore(options, keysOf(options.prefix));
  await store.whenReady(options.openWithinMs ?? 2_000);
  return store;
}

class RedisStore implements Store {
  readonly kind = 'redis';
  unreadable = 0;
  readonly #options: RedisStoreOptions;
  readonly #keys: Keys;
  readonly #redis: Redis;
  /** Name of this store in records and hints, so that its watches skip its own writes. */
  readonly #by = randomBytes(12).toString('base64url');
  readonly #watches = new Set<ChangeWatch>();
  #operations = 0;
  #onReady: () => void = () => {};
  #isClosed = false;
  /** A connection that is being closed may still fail. This is no problem of the caller. */
  readonly #onProblem = (message: string): void => {
    if (!this.#isClosed) this.#options.onProblem(message);
  };

  constructor(options: RedisStoreOptions, keys: Keys) {
    this.#options = options;
    this.#keys = keys;
    this.#redis = connectRedis({
      url: options.url,
      commandTimeoutMs: options.commandTimeoutMs ?? 500,
      onProblem: this.#onProblem,
      onReady: () => {
        this.#onReady();
        for (const watch of this.#watches) watch.syncSoon();
      },
    });
  }

  async whenReady(withinMs: number): Promise<void> {
    if (this.#redis.status === 'ready') return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#onReady = resolve;
      timer = setTimeout(resolve, withinMs);
    });
    clearTimeout(timer);
  }

  async load(): Promise<readonly StoredRecord[]> {
    const { found, unreadable } = await this.#readAll();
    this.unreadable = unreadable;
    if (unreadable > 0) this.#onProblem(`skipped ${unreadable} records in redis that cannot be read`);
    return found.map(({ record }) => record);
  }

  async write(records: readonly StoredRecord[]): Promise<readonly WriteOutcome[]> {
    const all = records.map(argumentsOf);
    const outcomes: WriteOutcome[] = [];
    for (const some of chunks(all)) {
      this.#operations += 1;
      const names = this.#namesOf(some.map(([key]) => key));
      const operation = `${this.#by}.${this.#operations}`;
      const answer = await this.#ask((redis) =>
        redis.eval(WRITE, names.length, ...names, this.#by, operation, ...some.flat()),
      );
      if (!Array.isArray(answer) || answer.length !== some.length + 1)
        throw new Error('redis returned an invalid number of outcomes');
      const replaced: unknown = answer.pop();
      if (replaced !== 0) this.#onProblem(`replaced ${replaced} keys in redis that held another type`);
      for (const outcome of answer) outcomes.push(outcome === 1 ? 'written' : 'stale');
    }
    return outcomes;
  }

  async remove(keys: readonly string[]): Promise<void> {
    await this.#eachChunk(REMOVE, keys);
  }

  watch(listener: StoreListener): () => void {
    if (this.#isClosed) throw new Error('the store is closed');
    const watch = new ChangeWatch({
      url: this.#options.url,
      hints: this.#keys.hints,
      by: this.#by,
      syncMs: this.#options.syncMs ?? 5_000,
      onProblem: this.#onProblem,
      readAll: async () => (await this.#readAll()).found,
      read: async (keys) => (await this.#read(keys)).found,
      listener,
    });
    this.#watches.add(watch);
    return () => {
      this.#watches.delete(watch);
      watch.close();
    };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const watch of this.#watches) watch.close();
    this.#watches.clear();
    this.#redis.disconnect();
  }

  async #readAll(): Promise<{ found: Written[]; unreadable: number }> {
    const members = await this.#ask((redis) => redis.smembers(this.#keys.index).catch(noneOfAnotherType));
    if (members === undefined) {
      this.#onProblem(`the redis key ${this.#keys.index} holds another type; the next write replaces it`);
      return { found: [], unreadable: 0 };
    }
    const { found, unreadable, absent } = await this.#read(members);
    if (absent.length > 0) await this.#eachChunk(PRUNE, absent);
    return { found, unreadable };
  }

  async #read(keys: readonly string[]): Promise<{ found: Written[]; unreadable: number; absent: string[] }> {
    const found: Written[] = [];
    const absent: string[] = [];
    let unreadable = 0;
    for (const some of chunks(keys)) {
      const answers = await this.#ask((redis) => {
        const pipeline = redis.pipeline();
        for (const key of some) pipeline.hmget(this.#keys.record(key), ...FIELDS);
        return pipeline.exec();
      });
      for (const [i, key] of some.entries()) {
        const [error, answer] = answers?.[i] ?? [new Error('redis returned no answer'), undefined];
        // A wrong type makes one record unreadable. Any other error is a failure of Redis and may be temporary.
        if (error) noneOfAnotherType(error);
        const written = error ? 'unreadable' : readWritten(key, answer);
        if (written === 'absent') absent.push(key);
        else if (written === 'unreadable') unreadable += 1;
        else found.push(written);
      }
    }
    return { found, unreadable, absent };
  }

  async #eachChunk(script: string, keys: readonly string[]): Promise<void> {
    if (keys.length === 0) this.#assertOpen();
    for (const some of chunks(keys)) {
      const names = this.#namesOf(some);
      await this.#ask((redis) => redis.eval(script, names.length, ...names, this.#by, ...some));
    }
  }

  /** KEYS of a script: index, hints, then the hashes of the records. */
  #namesOf(keys: readonly string[]): string[] {
    return [this.#keys.index, this.#keys.hints, ...keys.map((key) => this.#keys.record(key))];
  }

  async #ask<Answer>(send: (redis: Redis) => Promise<Answer>): Promise<Answer> {
    this.#assertOpen();
    try {
      return await send(this.#redis);
    } catch (error) {
      throw new Error(`redis: ${reasonOf(error)}`, { cause: error });
    }
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new Error('the store is closed');
  }
}

/** Returns `undefined` for an error about a wrong type; throws any other error. */
function noneOfAnotherType(error: Error): undefined {
  if (!error.message.startsWith('WRONGTYPE')) throw error;
}

function* chunks<Item>(items: readonly Item[]): Generator<readonly Item[]> {
  for (let start = 0; start < items.length; start += MAX_PER_CALL) yield items.slice(start, start + MAX_PER_CALL);
}
