/**
 * The persistence port: it keeps registrations and operators' settings, so that a restart logs no user out.
 * It is never the source of truth and never on the path of a request.
 */

/**
 * One record. `version` is compared left to right; a write is refused if its version is lower than the stored one or
 * equal. For nodes it is [newest incarnation ever, generation]. The generation grows with each write and is a wall clock
 * Unix ms, so that it continues to grow after a restart. For overrides it is [wall clock Unix ms, counter].
 * The cluster id always has the same version: the first write of all coordinators stays.
 */
export interface StoredRecord {
  /** `node/ID`, `override/ID`, `balancer/NAME`, `context/HASH`, `cluster/id`. At most 128 characters, unique. */
  readonly key: string;
  readonly version: readonly [number, number];
  /** JSON-safe; at most 16 KiB when encoded. */
  readonly value: unknown;
  /** Instant after which the record may be dropped, Unix ms; absent: kept. */
  readonly expiresAtUnixMs?: number;
}

export type WriteOutcome = 'written' | 'stale';

/**
 * Contract, checked by `storeContract` for every implementation:
 *
 * - `write` is atomic per record. A record with the outcome `written` is in the next `load`; `stale` changes nothing.
 * - `load` skips records that it cannot read, and counts them.
 * - Methods reject with an Error while the medium is unreachable, and lose no record that was written before.
 * - After `close` they reject.
 */
export interface Store {
  readonly kind: string;
  /** Records that the last `load` skipped because they cannot be read. Absent: a store that skips none. */
  readonly unreadable?: number;
  /** All records, in no order. */
  load(): Promise<readonly StoredRecord[]>;
  /** One outcome per record, in order. */
  write(records: readonly StoredRecord[]): Promise<readonly WriteOutcome[]>;
  /** Removes the keys; unknown ones are no error. */
  remove(keys: readonly string[]): Promise<void>;
  close(): Promise<void>;
}
