/**
 * Tells a listener what other coordinators write. The stream of hints makes it quick, the full sync makes it right: a
 * hint may be lost, doubled or late, and everything a hint would have said is found by the next sync.
 */
import type { StoredRecord, StoreListener } from '@rollcall/core';
import { isNewer } from '@rollcall/core';
import type { Redis } from 'ioredis';
import { connectRedis, reasonOf } from './redis-connection.ts';
import type { Written } from './stored-record.ts';

export interface ChangeWatchOptions {
  readonly url: string;
  /** Key of the stream. */
  readonly hints: string;
  /** Our own name in records and hints. */
  readonly by: string;
  readonly syncMs: number;
  readonly onProblem: (message: string) => void;
  readonly readAll: () => Promise<readonly Written[]>;
  readonly read: (keys: readonly string[]) => Promise<readonly Written[]>;
  readonly listener: StoreListener;
}

/** One blocking read lasts so long, milliseconds: then the connection is known to be alive. */
const BLOCK_MS = 5_000;
/** Grace beyond that before the connection is given up, milliseconds. */
const BLOCK_GRACE_MS = 1_000;
const MAX_HINTS_PER_READ = 1_000;

export class ChangeWatch {
  readonly #options: ChangeWatchOptions;
  readonly #redis: Redis;
  /** Newest version of each record that the listener has heard of. */
  readonly #heard = new Map<string, StoredRecord['version']>();
  readonly #timer: NodeJS.Timeout;
  /** Work goes one after the other, so that the listener hears versions in order. */
  #queue: Promise<void> = Promise.resolve();
  #isSyncWaiting = false;
  #isFollowing = false;
  #isClosed = false;

  constructor(options: ChangeWatchOptions) {
    this.#options = options;
    this.#redis = connectRedis({
      url: options.url,
      // Blocking reads end by themselves; a dead peer is noticed by the timeout of the command below.
      commandTimeoutMs: BLOCK_MS + BLOCK_GRACE_MS,
      onProblem: options.onProblem,
      onReady: () => {
        this.syncSoon();
        if (!this.#isFollowing) void this.#follow();
      },
    });
    this.#timer = setInterval(() => this.syncSoon(), options.syncMs);
  }

  /** Compares everything with what was heard, soon. */
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
      this.#options.onProblem(`redis: following changes was cut off: ${reasonOf(error)}`);
      // Once it is connected again, `onReady` syncs and follows anew.
      if (this.#redis.status === 'ready') this.#redis.disconnect(true);
    } finally {
      this.#isFollowing = false;
    }
  }

  /** Waits for hints after `lastId` and returns the id to go on from. */
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
        // Removed: whatever comes under the key later is news, with any version.
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
        // Redis is away: its connection has said so, and the next sync finds what this would have.
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
