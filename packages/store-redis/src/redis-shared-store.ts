/**
 * The memory of coordinators in Redis. Redis is a copy of records that every coordinator holds, not the authority. While Redis is unreachable,
 * every method rejects within the time limit of a command.
 */
import { randomBytes } from 'node:crypto';
import type {
  Announcement,
  Exchanged,
  SharedRecord,
  SharedStore,
  StoredRecord,
  StoredVersions,
  Version,
  Written,
} from '@rollcall/core';
import {
  decodeAnnouncement,
  decodeRecord,
  decodeVersion,
  encodeAnnouncement,
  encodeRecord,
  LAYOUT,
} from '@rollcall/core';
import type { Cluster, Redis } from 'ioredis';
import { type Keys, keysOf } from './keys.ts';
import { readLayout1 } from './layout1.ts';
import { ANSWER, EXCHANGE, FORGET, MARK_IMPORTED, READ, WITHDRAW, WRITE } from './lua.ts';
import { parseRedisAddress } from './redis-address.ts';
import { RedisConnection } from './redis-connection.ts';
import { RedisProblem } from './redis-problem.ts';

export interface RedisSharedStoreOptions {
  /** Address as in redis-address.ts. */
  readonly url: string;
  /** Prefix of all keys, `[A-Za-z0-9:_-]{1,64}`. Each cluster on one Redis needs its own. */
  readonly prefix: string;
  /** Certificate authorities in the place of those of Node.js, PEM. Only for addresses with TLS. */
  readonly ca?: string;
  /** Receives each background problem once, such as a lost connection, and none after `close`. Errors of a method reject its promise. */
  readonly onProblem: (problem: RedisProblem) => void;
  /** Longest wait of `openRedisSharedStore` for a connection, milliseconds. Default 2,000. */
  readonly openWithinMs?: number;
  /** Time limit of a command, milliseconds. Default 500. */
  readonly commandTimeoutMs?: number;
}

export interface RedisSharedStore extends SharedStore {
  readonly kind: 'redis';
  /** Records that release 0.1.0 has left below the same prefix; `undefined` after `markImported`. Records that cannot be read are left out. */
  readEarlier(): Promise<readonly StoredRecord[] | undefined>;
  /** Marks the records of release 0.1.0 as taken, for all coordinators. They stay in Redis. */
  markImported(clusterId: string): Promise<void>;
}

/** Maximum number of records in one script call. Redis serves no other command during a script. */
const MAX_PER_CALL = 100;

/** See `openRedisSharedStore` of the front door. */
export async function openRedisSharedStore(options: RedisSharedStoreOptions): Promise<RedisSharedStore> {
  const store = new SharedStoreOnRedis(options);
  await store.whenReady(options.openWithinMs ?? 2_000);
  return store;
}

class SharedStoreOnRedis implements RedisSharedStore {
  readonly kind = 'redis';
  readonly cluster: string;
  readonly #options: RedisSharedStoreOptions;
  readonly #keys: Keys;
  readonly #connection: RedisConnection;
  /** Random text of the next exchange; the same until one was answered. */
  #proposal = newProposal();
  #connections = 0;
  /** A reconnect may lead to a Redis with other data, and with the same numbers of changes. Until `versions` was answered, no keys are named. */
  #needsVersions = false;
  #onReady: () => void = () => {};

  constructor(options: RedisSharedStoreOptions) {
    this.#options = options;
    this.cluster = options.prefix;
    this.#keys = keysOf(options.prefix);
    this.#connection = new RedisConnection({
      address: parseRedisAddress(options.url),
      ca: options.ca,
      commandTimeoutMs: options.commandTimeoutMs ?? 500,
      onProblem: options.onProblem,
      onReady: () => {
        this.#connections += 1;
        if (this.#connections > 1) this.#needsVersions = true;
        this.#onReady();
      },
    });
  }

  async whenReady(withinMs: number): Promise<void> {
    if (this.#connection.isReady) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#onReady = resolve;
      timer = setTimeout(resolve, withinMs);
    });
    clearTimeout(timer);
  }

  async exchange(announcement: Announcement, clusterId: string): Promise<Exchanged> {
    const text = encodeAnnouncement(announcement);
    const { coordinator, layout, seen } = announcement;
    const { cluster, records, versions, changes, coordinators } = this.#keys;
    const proposal = this.#proposal;
    const epoch = this.#needsVersions ? '' : seen.epoch;
    const own = [clusterId, layout, proposal, coordinator, text, seen.epoch, seen.change, epoch];
    const answer = await this.#run(EXCHANGE, [cluster, records, versions, changes, coordinators], own);
    if (this.#proposal === proposal) this.#proposal = newProposal();
    if (answer[0] === ANSWER.foreign)
      return { type: 'refused', clusterId: textOf(answer[1]).slice(0, 64), layout: layoutOf(answer[2]) };
    const [, epochNow, change, isNew, changed, announced, seconds, micros, replaced] = answer;
    this.#reportReplaced(replaced);
    return {
      type: 'exchanged',
      clusterId,
      at: { epoch: textOf(epochNow), change: countOf(change) },
      changed: Array.isArray(changed) ? changed.map(textOf) : undefined,
      coordinators: announcementsOf(announced),
      nowUnixMs: countOf(seconds) * 1_000 + Math.floor(countOf(micros) / 1_000),
      isNew: isNew === 1,
    };
  }

  async versions(): Promise<StoredVersions> {
    const connection = this.#connections;
    const fields = await this.#connection.send((client) => (client as Redis).hgetall(this.#keys.versions));
    if (connection === this.#connections) this.#needsVersions = false;
    return new Map(Object.entries(fields).map(([key, text]) => [key, decodeVersion(text)]));
  }

  async read(keys: readonly string[]): Promise<{ records: SharedRecord[]; unreadable: string[] }> {
    const records: SharedRecord[] = [];
    const unreadable: string[] = [];
    if (keys.length === 0) this.#connection.assertOpen();
    for (const some of chunks([...new Set(keys)])) {
      const texts = await this.#run(READ, [this.#keys.records], some);
      for (const [i, key] of some.entries()) {
        const text = texts[i];
        if (text === null || text === undefined) continue;
        const record = typeof text === 'string' ? decodeRecord(key, text) : undefined;
        if (record === undefined) unreadable.push(key);
        else records.push(record);
      }
    }
    return { records, unreadable };
  }

  async write(records: readonly SharedRecord[], clusterId: string, isRefresh = false): Promise<Written> {
    const all = records.map((record) => [record.key, ...record.version, encodeRecord(record)]);
    const outcomes: ('written' | 'stale')[] = [];
    let at = { epoch: '', change: 0 };
    // Without records one call returns the point.
    for (const some of all.length === 0 ? [[]] : chunks(all)) {
      const { cluster, records: texts, versions, changes } = this.#keys;
      const own = [clusterId, isRefresh ? '1' : '0', ...some.flat()];
      const answer = this.#own(await this.#run(WRITE, [cluster, texts, versions, changes], own));
      const [, epoch, change, replaced, ...written] = answer;
      this.#reportReplaced(replaced);
      if (written.length !== some.length)
        throw new RedisProblem('failed', 'redis returned an invalid number of outcomes');
      for (const outcome of written) outcomes.push(outcome === 1 ? 'written' : 'stale');
      at = { epoch: textOf(epoch), change: countOf(change) };
    }
    return { outcomes, at };
  }

  async forget(versions: ReadonlyMap<string, Version>, clusterId: string): Promise<void> {
    const all = [...versions].map(([key, version]) => [key, ...version]);
    for (const some of all.length === 0 ? [[]] : chunks(all)) {
      const { cluster, records, versions: texts, changes } = this.#keys;
      const answer = await this.#run(FORGET, [cluster, records, texts, changes], [clusterId, ...some.flat()]);
      this.#reportReplaced(this.#own(answer)[1]);
    }
  }

  async withdraw(coordinator: string, clusterId: string): Promise<void> {
    const { cluster, coordinators } = this.#keys;
    this.#own(await this.#run(WITHDRAW, [cluster, coordinators], [clusterId, coordinator]));
  }

  async readEarlier(): Promise<readonly StoredRecord[] | undefined> {
    return await this.#connection.send((client) => readLayout1(client as Redis, this.#keys));
  }

  async markImported(clusterId: string): Promise<void> {
    this.#own(await this.#run(MARK_IMPORTED, [this.#keys.cluster], [clusterId]));
  }

  async close(): Promise<void> {
    this.#connection.close();
  }

  async #run(script: string, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown[]> {
    const answer: unknown = await this.#connection.send((client: Redis | Cluster) =>
      (client as Redis).eval(script, keys.length, ...keys, ...args),
    );
    if (!Array.isArray(answer)) throw new RedisProblem('failed', 'redis returned an invalid answer of a script');
    return answer;
  }

  /** Returns the answer of a script that writes, unless the store is not of this cluster; throws otherwise. */
  #own(answer: unknown[]): unknown[] {
    const [kind, id, layout] = answer;
    if (kind === ANSWER.done) return answer;
    if (kind === ANSWER.emptied)
      throw new RedisProblem('emptied', 'redis was emptied; the next exchange prepares the store');
    const place = `below the prefix ${JSON.stringify(this.#options.prefix)}`;
    const found = layoutOf(layout);
    if (found !== undefined && found > LAYOUT)
      throw new RedisProblem('foreign', `redis has layout ${found} ${place}; this release writes layout ${LAYOUT}`);
    throw new RedisProblem('foreign', `redis has records of another cluster (${textOf(id).slice(0, 64)}) ${place}`);
  }

  #reportReplaced(count: unknown): void {
    if (typeof count !== 'number' || count === 0) return;
    const { prefix, onProblem } = this.#options;
    onProblem(new RedisProblem('wrong-type', `replaced ${count} keys of {${prefix}} in redis that held another type`));
  }
}

function newProposal(): string {
  return randomBytes(12).toString('hex');
}

/** Pairs of an id and a text. */
function announcementsOf(pairs: unknown): Announcement[] {
  const announcements: Announcement[] = [];
  if (!Array.isArray(pairs)) return announcements;
  for (let i = 0; i + 1 < pairs.length; i += 2) {
    const announcement = decodeAnnouncement(textOf(pairs[i]), textOf(pairs[i + 1]));
    if (announcement !== undefined) announcements.push(announcement);
  }
  return announcements;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** `undefined` without a layout, or with a text that is no number. */
function layoutOf(value: unknown): number | undefined {
  return countOf(value) || undefined;
}

/** 0 for a text that is no number. */
function countOf(value: unknown): number {
  const number = typeof value === 'number' ? value : Number(textOf(value));
  return Number.isSafeInteger(number) && number >= 0 ? number : 0;
}

function* chunks<Item>(items: readonly Item[]): Generator<readonly Item[]> {
  for (let start = 0; start < items.length; start += MAX_PER_CALL) yield items.slice(start, start + MAX_PER_CALL);
}
