/**
 * Keeps the store up to date with the registry, and the registry's memory with the store at start. Nothing waits for the
 * store after that: when it is away, what it must learn is kept here, newest last, and said as soon as it is back.
 */
import type { Store, StoredRecord } from '@rollcall/core';
import type { Logger } from 'pino';
import type { Cluster } from '../cluster.ts';

/** Whether the store can be reached, and since when that is so. */
export interface StoreStatus {
  readonly kind: string;
  readonly isReachable: boolean;
  readonly sinceUnixMs: number;
  readonly lastError?: string;
  /** What it remembered could not be read at start: operators' wishes from before are not in force. */
  readonly isForgetful: boolean;
  /** Records it has yet to learn of. */
  readonly waiting: number;
}

/** How long the start waits for the store, milliseconds. */
const LOAD_WITHIN_MS = 2_000;
/** Between two writes, milliseconds. */
const WRITE_MS = 250;
/** Waits after a failed write, milliseconds; the last one repeats. */
const RETRY_WAITS_MS = [500, 1_000, 2_000, 5_000] as const;

export interface StoreSyncOptions {
  readonly store: Store;
  readonly cluster: Cluster;
  readonly logger: Logger;
  readonly loadWithinMs?: number;
}

export class StoreSync {
  readonly #store: Store;
  readonly #cluster: Cluster;
  readonly #logger: Logger;
  readonly #loadWithinMs: number;
  readonly #writes = new Map<string, StoredRecord>();
  readonly #removals = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #sinceUnixMs: number;
  #lastError: string | undefined;
  #isForgetful = false;
  #isClosing = false;
  #underWay: Promise<void> = Promise.resolve();

  constructor({ store, cluster, logger, loadWithinMs = LOAD_WITHIN_MS }: StoreSyncOptions) {
    this.#store = store;
    this.#cluster = cluster;
    this.#logger = logger;
    this.#loadWithinMs = loadWithinMs;
    this.#sinceUnixMs = Math.floor(cluster.clocks.nowUnixMs());
  }

  get status(): StoreStatus {
    return {
      kind: this.#store.kind,
      isReachable: this.#lastError === undefined,
      sinceUnixMs: this.#sinceUnixMs,
      ...(this.#lastError !== undefined && { lastError: this.#lastError }),
      isForgetful: this.#isForgetful,
      waiting: this.#writes.size + this.#removals.size,
    };
  }

  /** Gives the registry what the store remembers, or goes on without when it does not answer in time. Then begins to write. */
  async start(): Promise<void> {
    try {
      const records = await this.#loadInTime();
      const restored = this.#cluster.apply({
        type: 'restore',
        records,
        nowUnixMs: this.#cluster.clocks.nowUnixMs(),
      });
      if ('type' in restored) this.#logger.warn(`the store's memory is not used: ${restored.message}`);
    } catch (error) {
      this.#isForgetful = true;
      this.#failed(error);
    }
    this.#timer = setTimeout(() => this.#pass(), WRITE_MS);
  }

  /** Writes what is still to be written, once, and closes the store. */
  async close(): Promise<void> {
    this.#isClosing = true;
    clearTimeout(this.#timer);
    await this.#underWay;
    await this.#write();
    await this.#store.close();
  }

  async #loadInTime(): Promise<readonly StoredRecord[]> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const problem = `the store did not answer within ${this.#loadWithinMs} ms`;
      timer = setTimeout(() => reject(new Error(problem)), this.#loadWithinMs);
    });
    try {
      return await Promise.race([this.#store.load(), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #pass(): void {
    this.#underWay = this.#write().then(() => {
      if (this.#isClosing) return;
      const waitMs = this.#failures === 0 ? WRITE_MS : RETRY_WAITS_MS[Math.min(this.#failures, RETRY_WAITS_MS.length) - 1]!;
      this.#timer = setTimeout(() => this.#pass(), waitMs);
    });
  }

  async #write(): Promise<void> {
    this.#collect();
    const writes = [...this.#writes.values()];
    const removals = [...this.#removals];
    const isIdle = writes.length === 0 && removals.length === 0;
    if (isIdle && this.#lastError === undefined) return;
    try {
      // With nothing to say, reading is how to find out whether it is back.
      if (isIdle) await this.#store.load();
      if (writes.length > 0) {
        const outcomes = await this.#store.write(writes);
        for (const [i, record] of writes.entries()) {
          this.#writes.delete(record.key);
          if (outcomes[i] === 'stale') this.#logger.warn({ key: record.key }, 'the store holds a newer record');
        }
      }
      if (removals.length > 0) {
        await this.#store.remove(removals);
        for (const key of removals) this.#removals.delete(key);
      }
      this.#succeeded();
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Later words about a key replace earlier ones that were not written yet. */
  #collect(): void {
    const { write, remove } = this.#cluster.registry.takeRecords(this.#cluster.clocks.nowUnixMs());
    for (const record of write) {
      this.#removals.delete(record.key);
      this.#writes.set(record.key, record);
    }
    for (const key of remove) {
      this.#writes.delete(key);
      this.#removals.add(key);
    }
  }

  #succeeded(): void {
    if (this.#lastError === undefined) return;
    this.#failures = 0;
    this.#lastError = undefined;
    this.#sinceUnixMs = Math.floor(this.#cluster.clocks.nowUnixMs());
    this.#logger.info('the store is back');
  }

  #failed(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    this.#failures += 1;
    if (this.#lastError === undefined) {
      this.#sinceUnixMs = Math.floor(this.#cluster.clocks.nowUnixMs());
      this.#logger.error(`the store is away: ${message}; the cluster goes on without it`);
    }
    this.#lastError = message;
  }
}
