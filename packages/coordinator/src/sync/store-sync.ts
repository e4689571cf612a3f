/**
 * Keeps the store up to date with the registry, and gives the registry what the store remembers at start.
 *
 * A change goes to the store within 20 ms, together with all that came with it. Only answers to operators wait for that, and
 * for a second at most; while the store is unreachable, records are kept here, the latest of each key, and written when it is
 * back.
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
  /** Records it holds that could not be read. */
  readonly unreadable: number;
}

/** How long the start waits for the store, milliseconds. */
const LOAD_WITHIN_MS = 2_000;
/** How long one write may take, milliseconds. */
const WRITE_WITHIN_MS = 10_000;
/** Between two writes, milliseconds. */
const WRITE_MS = 20;
/** How long an answer waits for the store, milliseconds. */
const ANSWER_WITHIN_MS = 1_000;
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
  /** Records of writes that failed. */
  readonly #tried = new WeakSet<StoredRecord>();
  /** Called with whether the next write, or the one under way, has succeeded. */
  #waiters: ((isStored: boolean) => void)[] = [];
  #waitersUnderWay: ((isStored: boolean) => void)[] | undefined;
  #stopListening: () => void = () => {};
  #lastPassMs = Number.NEGATIVE_INFINITY;
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
      waiting: this.#waiting(),
      unreadable: (this.#store.unreadable ?? 0) + this.#options.cluster.registry.unreadableRecords,
    };
  }

  #waiting(): number {
    let count = this.#writes.size + this.#removals.size;
    for (const key of this.#options.cluster.registry.changedRecords)
      if (!this.#writes.has(key) && !this.#removals.has(key)) count += 1;
    return count;
  }

  /**
   * Resolves with true as soon as the store has the records with these keys as they are now. With false when it has not within
   * a second, or at once when it is unreachable: the changes are in force all the same, and are written when it is back.
   */
  stored(keys: readonly string[]): Promise<boolean> {
    const { changedRecords } = this.#options.cluster.registry;
    const hasChanges = keys.some((key) => changedRecords.has(key));
    const isWritten = !hasChanges && !keys.some((key) => this.#writes.has(key) || this.#removals.has(key));
    if (isWritten || this.#lastError !== undefined) return Promise.resolve(isWritten);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), ANSWER_WITHIN_MS);
      const waiters = hasChanges ? this.#waiters : (this.#waitersUnderWay ?? this.#waiters);
      waiters.push((isStored) => {
        clearTimeout(timer);
        resolve(isStored);
      });
    });
  }

  /** Gives the registry what the store remembers, or starts without when it does not answer in time. Then begins to write. */
  async start(): Promise<void> {
    try {
      await this.#remember();
    } catch (error) {
      this.#failed(error);
    }
    this.#stopListening = this.#options.cluster.onRecords(() => this.#writeSoon());
    this.#schedule();
  }

  /** Writes what is still to be written, once, and closes the store. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#stopListening();
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

  /** The first change of a quiet time goes out at once. */
  #writeSoon(): void {
    if (this.#timer !== undefined || this.#waitersUnderWay !== undefined || this.#isClosing) return;
    this.#passAfter(Math.max(0, this.#lastPassMs + WRITE_MS - performance.now()));
  }

  /** After a failure it is tried again whether or not there is something to write. */
  #schedule(): void {
    const retryMs = RETRY_WAITS_MS[Math.min(this.#failures, RETRY_WAITS_MS.length) - 1];
    if (retryMs !== undefined) this.#passAfter(retryMs);
    else if (this.#options.cluster.registry.changedRecords.size > 0) this.#writeSoon();
  }

  #passAfter(waitMs: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#lastPassMs = performance.now();
      this.#underWay = this.#write().then(() => {
        if (!this.#isClosing) this.#schedule();
      });
    }, waitMs);
  }

  /** Never rejects: what could not be written stays for the next time. */
  async #write(): Promise<void> {
    const waiters = this.#waiters;
    this.#waiters = [];
    this.#waitersUnderWay = waiters;
    try {
      if (this.#isForgetful) await this.#remember();
      // Changes made while it was read go along now.
      waiters.push(...this.#waiters.splice(0));
      this.#collect();
      await this.#writeAll();
      await this.#removeAll();
      this.#succeeded();
    } catch (error) {
      for (const record of this.#writes.values()) this.#tried.add(record);
      this.#collect();
      this.#failed(error);
    }
    this.#waitersUnderWay = undefined;
    const isStored = this.#lastError === undefined;
    // After a failure those who came during the write need not wait for the next try.
    if (!isStored) waiters.push(...this.#waiters.splice(0));
    for (const end of waiters) end(isStored);
  }

  async #writeAll(): Promise<void> {
    const records = [...this.#writes.values()];
    // With nothing to say, reading is how to find out whether it is back.
    if (records.length === 0 && this.#lastError !== undefined) await within(this.#loadWithinMs, this.#store.load());
    if (records.length === 0) return;
    const outcomes = await within(WRITE_WITHIN_MS, this.#store.write(records));
    for (const [i, record] of records.entries()) {
      const { key } = record;
      this.#writes.delete(key);
      // A write whose answer was lost may have been carried out, and its repeat is stale.
      if (outcomes[i] === 'stale' && !this.#tried.has(record))
        this.#options.logger.warn({ key }, 'the store holds a newer record');
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
