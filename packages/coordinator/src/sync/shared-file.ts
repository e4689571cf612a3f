/**
 * The shared records of the cluster in the own state directory, so that this coordinator can fill an emptied store after a restart.
 * Remaining times are written with the wall clock of this machine, which is compared only with itself.
 */
import { type Instants, type SharedRecord, type Store, type StoredRecord, TIMERS } from '@rollcall/core';
import { isObject } from '@rollcall/protocol';

/** What the file remembers besides records. */
const LAST_SYNC = 'meta/last-sync';

/** Content of the file. */
export interface Remembered {
  readonly records: readonly SharedRecord[];
  /** Clock of the store at the last whole exchange with it, Unix ms; `undefined` before the first. */
  readonly lastSyncUnixMs: number | undefined;
}

export class SharedFile {
  readonly #store: Store;
  /** Higher than the version of every record in the file: the file keeps the last write, whatever the versions between coordinators. */
  #generation = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Rejects if the file cannot be read. */
  async load({ nowUnixMs }: Instants): Promise<Remembered> {
    const records: SharedRecord[] = [];
    let lastSyncUnixMs: number | undefined;
    for (const stored of await this.#store.load()) {
      this.#generation = Math.max(this.#generation, stored.version[0]);
      if (stored.key === LAST_SYNC) lastSyncUnixMs = typeof stored.value === 'number' ? stored.value : undefined;
      else records.push(recordOf(stored, nowUnixMs));
    }
    return { records, lastSyncUnixMs };
  }

  async write(records: readonly SharedRecord[], { nowUnixMs }: Instants): Promise<void> {
    await this.#write(
      records.map(({ key, version, value, remaining, after }) => ({
        key,
        value: { version, value, remaining, after, atUnixMs: Math.floor(nowUnixMs) },
      })),
    );
  }

  async writeLastSync(storeUnixMs: number): Promise<void> {
    await this.#write([{ key: LAST_SYNC, value: storeUnixMs }]);
  }

  async remove(keys: readonly string[]): Promise<void> {
    if (keys.length > 0) await this.#store.remove(keys);
  }

  async close(): Promise<void> {
    await this.#store.close();
  }

  async #write(records: readonly Pick<StoredRecord, 'key' | 'value'>[]): Promise<void> {
    if (records.length === 0) return;
    this.#generation += 1;
    const version = [this.#generation, 0] as const;
    await this.#store.write(records.map((record) => ({ ...record, version })));
  }
}

/** Decodes a record. The replica refuses and counts one that is invalid. */
function recordOf({ key, value }: StoredRecord, nowUnixMs: number): SharedRecord {
  const { version, value: content, remaining, after, atUnixMs } = isObject(value) ? value : {};
  const passedMs = typeof atUnixMs === 'number' ? Math.max(0, nowUnixMs - atUnixMs) : 0;
  const left: Record<string, number> = {};
  for (const timer of TIMERS) {
    const ms: unknown = isObject(remaining) ? remaining[timer] : undefined;
    if (typeof ms === 'number') left[timer] = ms - passedMs;
  }
  const { version: own, after: earlier } = { version, after } as Pick<SharedRecord, 'version' | 'after'>;
  return { key, version: own, value: content, remaining: left, ...(earlier !== undefined && { after: earlier }) };
}
