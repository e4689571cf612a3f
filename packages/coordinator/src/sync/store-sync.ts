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
  /** What it remembers could not be read yet: operators' wishes from before the start are not in force. */
  readonly isForgetful: boolean;
  /** Records it has yet to learn of. */
  readonly waiting: number;
}

/** How long the start waits for the store, milliseconds. */
const LOAD_WITHIN_MS = 2_000;
/** How long one write may take, milliseconds. */
const WRITE_WITHIN_MS = 10_000;
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
  readonly #options: StoreSyncOptions;
  readonly #store: Store;
  readonly #loadWithinMs: number;
  readonly #writes = new Map<string, StoredRecord>();
  readonly #removals = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #sinceUnixMs: number;
  #lastError: string | undefined;
  #isForgetful = true;
  #isClosing = false;
  #underWay: Promise<void> = Promise.resolve();

  constructor(options: StoreSyncOptions) {
    this.#options = options;
    this.#store = options.store;
    this.#loadWithinMs = options.loadWithinMs ?? LOAD_WITHIN_MS;
    this.#sinceUnixMs = this.#nowUnixMs();
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
      await this.#remember();
    } catch (error) {
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
    await within(WRITE_WITHIN_MS, this.#store.close()).catch((error: unknown) => this.#failed(error));
  }

  async #remember(): Promise<void> {
    const records = await within(this.#loadWithinMs, this.#store.load());
    const { cluster } = this.#options;
    const restored = cluster.apply({ type: 'restore', records, nowUnixMs: cluster.clocks.nowUnixMs() });
    if ('type' in restored) throw new Error(`its memory is refused: ${restored.message}`);
    this.#isForgetful = false;
  }

  #pass(): void {
    this.#underWay = this.#write().then(() => {
      if (this.#isClosing) return;
      const retryMs = RETRY_WAITS_MS[Math.min(this.#failures, RETRY_WAITS_MS.length) - 1];
      this.#timer = setTimeout(() => this.#pass(), retryMs ?? WRITE_MS);
    });
  }

  /** Never rejects: what could not be written stays for the next time. */
  async #write(): Promise<void> {
    try {
      if (this.#isForgetful) await this.#remember();
      this.#collect();
      await this.#writeAll();
      await this.#removeAll();
      this.#succeeded();
    } catch (error) {
      this.#collect();
      this.#failed(error);
    }
  }

  async #writeAll(): Promise<void> {
    const records = [...this.#writes.values()];
    // With nothing to say, reading is how to find out whether it is back.
    if (records.length === 0 && this.#lastError !== undefined) await within(this.#loadWithinMs, this.#store.load());
    if (records.length === 0) return;
    const outcomes = await within(WRITE_WITHIN_MS, this.#store.write(records));
    for (const [i, { key }] of records.entries()) {
      this.#writes.delete(key);
      if (outcomes[i] === 'stale') this.#options.logger.warn({ key }, 'the store holds a newer record');
    }
  }

  async #removeAll(): Promise<void> {
    const keys = [...this.#removals];
    if (keys.length === 0) return;
    await within(WRITE_WITHIN_MS, this.#store.remove(keys));
    for (const key of keys) this.#removals.delete(key);
  }

  /** Later words about a key replace earlier ones that were not written yet. */
  #collect(): void {
    const { registry, clocks } = this.#options.cluster;
    const { write, remove } = registry.takeRecords(clocks.nowUnixMs());
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
    this.#sinceUnixMs = this.#nowUnixMs();
    this.#options.logger.info('the store is back');
  }

  #failed(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    this.#failures += 1;
    if (this.#lastError === undefined) {
      this.#sinceUnixMs = this.#nowUnixMs();
      this.#options.logger.error(`the store is away: ${message}; the cluster goes on without it`);
    }
    this.#lastError = message;
  }

  #nowUnixMs(): number {
    return Math.floor(this.#options.cluster.clocks.nowUnixMs());
  }
}

async function within<Value>(limitMs: number, work: Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
