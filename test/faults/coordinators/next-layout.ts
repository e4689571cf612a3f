/**
 * A third coordinator, of a release whose layout is one higher. As long as the others announce the layout of this release it announces
 * itself and writes nothing else, which is the rule for releases. `raise` breaks the rule: it writes its own layout into the store.
 */
import { setInterval } from 'node:timers/promises';
import { type Announcement, encodeAnnouncement, LAYOUT } from '@rollcall/core';
import { openRedisSharedStore, type RedisSharedStore } from '@rollcall/store-redis';
import type { Pair } from './pair.ts';

/** Key of Redis with the layout, and its fields. */
export const CLUSTER_KEY = '{rollcall}:cluster';
const COORDINATORS_KEY = `{rollcall}:${LAYOUT}:coordinators`;
const EVERY_MS = 200;
export const NEXT_NAME = 'of-the-next-layout';
const ID = 'c'.repeat(32);

export class NextLayout {
  readonly #pair: Pair;
  readonly #store: RedisSharedStore;
  readonly #ending = new AbortController();
  readonly #running: Promise<void>;
  #counter = 0;
  #isRaised = false;

  private constructor(pair: Pair, store: RedisSharedStore) {
    this.#pair = pair;
    this.#store = store;
    this.#running = this.#run();
    // `end` reports it.
    this.#running.catch(() => undefined);
  }

  static async start(pair: Pair): Promise<NextLayout> {
    const url = `redis://127.0.0.1:${pair.redis.port}`;
    return new NextLayout(pair, await openRedisSharedStore({ url, prefix: 'rollcall', onProblem: () => undefined }));
  }

  /** From now on its layout is that of the store. */
  raise(): void {
    this.#isRaised = true;
  }

  /** Ends it, and gives the store the layout of this release again. */
  async end(): Promise<void> {
    this.#ending.abort();
    await this.#running;
    await this.#pair.command(['HSET', CLUSTER_KEY, 'layout', String(LAYOUT)]);
    const [clusterId] = await this.#cluster();
    await this.#store.withdraw(ID, clusterId);
    await this.#store.close();
  }

  async #run(): Promise<void> {
    try {
      for await (const _ of setInterval(EVERY_MS, undefined, { signal: this.#ending.signal })) await this.#announce();
    } catch (error) {
      if ((error as Error).name !== 'AbortError') throw error;
    }
  }

  async #announce(): Promise<void> {
    const [clusterId, epoch, change] = await this.#cluster();
    this.#counter += 1;
    const announcement: Announcement = {
      coordinator: ID,
      name: NEXT_NAME,
      release: '9.0.0',
      layout: LAYOUT + 1,
      counter: this.#counter,
      seen: { epoch, change: Number(change) },
    };
    if (this.#isRaised) await this.#store.exchange(announcement, clusterId);
    else {
      const seconds = Math.floor(Date.now() / 1_000);
      await this.#pair.command(['HSET', COORDINATORS_KEY, ID, `${seconds} ${encodeAnnouncement(announcement)}`]);
    }
  }

  async #cluster(): Promise<[id: string, epoch: string, change: string]> {
    const [fields] = await this.#pair.command(['HMGET', CLUSTER_KEY, 'id', 'epoch', 'change']);
    return fields as [string, string, string];
  }
}
