/**
 * Keeps the store up to date with the registry, and restores the registry from the store at start.
 *
 * A change is written within 20 ms, together with other changes of that time. Only answers to operators wait for the write, at most a
 * second. While the store is unreachable, the latest record of each key is kept in memory and written later.
 */
import { recordKey, type Store, type StoredRecord } from '@rollcall/core';
import type { Logger } from 'pino';
import type { Cluster } from '../cluster.ts';

/** State of the store, and since when. */
export interface StoreStatus {
  readonly kind: string;
  readonly isReachable: boolean;
  readonly sinceUnixMs: number;
  readonly lastError?: string;
  /** Its records could not be read yet: settings of operators from before the start are not in force. */
  readonly isForgetful: boolean;
  /** Number of changed records not yet in the store. */
  readonly waiting: number;
  /** Number of stored records that could not be read. */
  readonly unreadable: number;
}

/** Time that the start waits for the store, milliseconds. */
const LOAD_WITHIN_MS = 2_000;
/** Time limit of one write, milliseconds. */
const WRITE_WITHIN_MS = 10_000;
/** Minimum interval between two writes, milliseconds. */
const WRITE_MS = 20;
/** Time that an answer waits for the store, milliseconds. */
const ANSWER_WITHIN_MS = 1_000;
/** Delays after a failed write, milliseconds; the last one repeats. */
const RETRY_WAITS_MS = [500, 1_000, 2_000, 5_000] as const;

export interface StoreSyncOptions {
  readonly store: Store;
  readonly cluster: Cluster;
  readonly logger: Logger;
  readonly loadWithinMs?: number;
  /** Cluster id for a store without one. Absent: it gets none. */
  readonly clusterId?: string;
  /** The store keeps the cluster id. False where the memory of all coordinators does; a record of it is left alone. Default true. */
  readonly hasClusterId?: boolean;
  /** Called with the cluster id of the store after each read. */
  readonly onClusterId?: (id: string) => Promise<void>;
}

export class StoreSync {
  readonly #options: StoreSyncOptions;
  readonly #store: Store;
  readonly #loadWithinMs: number;
  readonly #writes = new Map<string, StoredRecord>();
  readonly #removals = new Set<string>();
  /** Records of failed writes. */
  readonly #tried = new WeakSet<StoredRecord>();
  /** Called with the result of the current or next write: true for success. */
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
   * Resolves with true as soon as the store has the present records with these keys. Resolves with false after a second, or at
   * once if the store is unreachable: the changes are in force, and are written later.
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

  /** Restores the registry from the store, or starts without it if the store does not answer in time. Then begins to write. */
  async start(): Promise<void> {
    try {
      await this.#remember();
    } catch (error) {
      this.#failed(error);
    }
    this.#stopListening = this.#options.cluster.onRecords(() => this.#writeSoon());
    this.#schedule();
  }

  /** Writes the remaining records, with one attempt, and closes the store. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#stopListening();
    clearTimeout(this.#timer);
    await this.#underWay;
    await this.#write();
    await within(WRITE_WITHIN_MS, this.#store.close()).catch((error: unknown) => this.#failed(error));
  }

  async #remember(): Promise<void> {
    const { hasClusterId = true } = this.#options;
    const loaded = await within(this.#loadWithinMs, this.#store.load());
    const records = loaded.filter(({ key }) => hasClusterId || key !== recordKey.cluster);
    const { cluster, clusterId, onClusterId } = this.#options;
    const restored = cluster.apply({ type: 'restore', records, nowUnixMs: cluster.clocks.nowUnixMs(), clusterId });
    if ('type' in restored) throw new Error(`the stored state is rejected: ${restored.message}`);
    this.#isForgetful = false;
    const known = cluster.registry.clusterId;
    if (known !== undefined && hasClusterId) await onClusterId?.(known);
  }

  /** The first change after a pause is written at once. */
  #writeSoon(): void {
    if (this.#timer !== undefined || this.#waitersUnderWay !== undefined || this.#isClosing) return;
    this.#passAfter(Math.max(0, this.#lastPassMs + WRITE_MS - performance.now()));
  }

  /** After a failure it retries even without records to write. */
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

  /** Never rejects: records that could not be written stay for the next attempt. */
  async #write(): Promise<void> {
    const waiters = this.#waiters;
    this.#waiters = [];
    this.#waitersUnderWay = waiters;
    try {
      if (this.#isForgetful) await this.#remember();
      // Changes made during the read are written now.
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
    // After a failure, callers that arrived during the write need not wait for the retry.
    if (!isStored) waiters.push(...this.#waiters.splice(0));
    for (const end of waiters) end(isStored);
  }

  async #writeAll(): Promise<void> {
    const records = [...this.#writes.values()];
    // Without records to write, a read checks whether the store is reachable again.
    if (records.length === 0 && this.#lastError !== undefined) await within(this.#loadWithinMs, this.#store.load());
    if (records.length === 0) return;
    const outcomes = await within(WRITE_WITHIN_MS, this.#store.write(records));
    const isStale = (key: string): boolean =>
      records.some((record, i) => record.key === key && outcomes[i] === 'stale');
    for (const [i, record] of records.entries()) {
      const { key } = record;
      this.#writes.delete(key);
      // A write whose answer was lost may have been carried out, and its repeat is stale.
      if (outcomes[i] === 'stale' && !this.#tried.has(record) && key !== recordKey.cluster)
        this.#options.logger.warn({ key }, 'the store holds a newer record');
    }
    // Another coordinator has written its cluster id first.
    if (isStale(recordKey.cluster)) await this.#remember();
  }

  async #removeAll(): Promise<void> {
    const keys = [...this.#removals];
    if (keys.length === 0) return;
    await within(WRITE_WITHIN_MS, this.#store.remove(keys));
    for (const key of keys) this.#removals.delete(key);
  }

  /** A later record of a key replaces an earlier one that is not written yet. */
  #collect(): void {
    const { registry, clocks } = this.#options.cluster;
    const { write, remove } = registry.takeRecords(clocks.nowUnixMs());
    for (const record of write) {
      if (record.key === recordKey.cluster && this.#options.hasClusterId === false) continue;
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
    this.#options.logger.info('the store is reachable again');
  }

  #failed(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    this.#failures += 1;
    if (this.#lastError === undefined) {
      this.#sinceUnixMs = this.#nowUnixMs();
      this.#options.logger.error(`the store is unreachable: ${message}; the cluster continues without it`);
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
