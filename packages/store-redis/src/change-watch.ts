/**
 * Reports to a listener the records that other coordinators write. The stream of hints makes it fast, the full sync makes it
 * complete. A hint may be lost, duplicated or late; the next sync finds every change.
 */
import type { StoredRecord, StoreListener } from '@rollcall/core';
import { isNewer } from '@rollcall/core';
import type { Redis } from 'ioredis';
import { connectRedis, reasonOf } from './redis-connection.ts';
import type { Written } from './stored-record.ts';

export interface ChangeWatchOptions {
  readonly url: string;
  /** Key of the stream of hints. */
  readonly hints: string;
  /** Name of this store in records and hints. */
  readonly by: string;
  /** Interval of full syncs, milliseconds. */
  readonly syncMs: number;
  readonly onProblem: (message: string) => void;
  readonly readAll: () => Promise<readonly Written[]>;
  readonly read: (keys: readonly string[]) => Promise<readonly Written[]>;
  readonly listener: StoreListener;
}

/** Longest blocking read, milliseconds. Its end proves that the connection works. */
const BLOCK_MS = 5_000;
/** A blocking read that lasts this much longer than `BLOCK_MS` has failed, milliseconds. */
const BLOCK_GRACE_MS = 1_000;
const MAX_HINTS_PER_READ = 1_000;

export class ChangeWatch {
  readonly #options: ChangeWatchOptions;
  readonly #redis: Redis;
  /** Newest version of each record that the listener has received or that this store has written. */
  readonly #heard = new Map<string, StoredRecord['version']>();
  readonly #timer: NodeJS.Timeout;
  /** Serialises reads, so that the listener receives versions in order. */
  #queue: Promise<void> = Promise.resolve();
  #isSyncWaiting = false;
  #isFollowing = false;
  #isClosed = false;

  constructor(options: ChangeWatchOptions) {
    this.#options = options;
    this.#redis = connectRedis({
      url: options.url,
      // Longer than a blocking read: only a connection without a live peer exceeds it.
      commandTimeoutMs: BLOCK_MS + BLOCK_GRACE_MS,
      onProblem: options.onProblem,
      onReady: () => {
        this.syncSoon();
        if (!this.#isFollowing) void this.#follow();
      },
    });
    this.#timer = setInterval(() => this.syncSoon(), options.syncMs);
  }

  /** Enqueues a full sync, unless one is waiting. It reports each record whose version the listener has not received. */
  syncSoon(): void {
    if (this.#isSyncWaiting || this.#isClosed) return;
    this.#isSyncWaiting = true;
    this.#enqueue(async () => {
      this.#isSyncWaiting = false;
      const written = await this.#options.readAll();
      this.#tell(written);
      const present = new Set(written.map(({ record }) => record.key));
      for (const key of this.#heard.keys()) if (!present.has(key)) this.#heard.delete(key);
    });
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#redis.disconnect();
  }

  async #follow(): Promise<void> {
    this.#isFollowing = true;
    try {
      const [newest] = await this.#redis.xrevrange(this.#options.hints, '+', '-', 'COUNT', 1);
      let lastId = newest?.[0] ?? '0-0';
      while (!this.#isClosed) lastId = await this.#readHints(lastId);
    } catch (error) {
      if (this.#isClosed) return;
      this.#options.onProblem(`redis: following changes was interrupted: ${reasonOf(error)}`);
      // After the reconnect, `onReady` syncs and follows again.
      if (this.#redis.status === 'ready') this.#redis.disconnect(true);
    } finally {
      this.#isFollowing = false;
    }
  }

  /** Waits up to `BLOCK_MS` for hints after `lastId`. Returns the id of the last hint, or `lastId` without a hint. */
  async #readHints(lastId: string): Promise<string> {
    const { hints, by, read } = this.#options;
    const answer = await this.#redis.xread('COUNT', MAX_HINTS_PER_READ, 'BLOCK', BLOCK_MS, 'STREAMS', hints, lastId);
    const entries = answer?.[0]?.[1] ?? [];
    const keys = new Set<string>();
    for (const [, fields] of entries) {
      const hint = readHint(fields);
      if (hint && hint.by !== by) keys.add(hint.key);
    }
    if (keys.size > 0)
      this.#enqueue(async () => {
        const written = await read([...keys]);
        this.#tell(written);
        const present = new Set(written.map(({ record }) => record.key));
        // Removed records: a later record under the same key is reported, whatever its version.
        for (const key of keys) if (!present.has(key)) this.#heard.delete(key);
      });
    return entries.at(-1)?.[0] ?? lastId;
  }

  #enqueue(work: () => Promise<void>): void {
    this.#queue = this.#queue.then(async () => {
      if (this.#isClosed) return;
      try {
        await work();
      } catch {
        // Redis is unreachable. Its connection has reported it, and the next sync finds the changes.
      }
    });
  }

  #tell(written: readonly Written[]): void {
    if (this.#isClosed) return;
    const news: StoredRecord[] = [];
    for (const { record, by } of written) {
      const heard = this.#heard.get(record.key);
      if (heard && !isNewer(record.version, heard)) continue;
      this.#heard.set(record.key, record.version);
      if (by !== this.#options.by) news.push(record);
    }
    if (news.length > 0) this.#options.listener(news);
  }
}

function readHint(fields: readonly string[]): { key: string; by: string } | undefined {
  const of = (name: string): string | undefined => {
    const place = fields.indexOf(name);
    return place === -1 ? undefined : fields[place + 1];
  };
  const [key, by] = [of('key'), of('by')];
  return key === undefined || by === undefined ? undefined : { key, by };
}
