/**
 * The persistence port: a memory of what agents and operators have said, so that a restart logs nobody out.
 * It is never the truth and never on the path of a request.
 */

/**
 * One remembered thing. `version` is compared left to right; a write with a lower or equal version than the stored
 * one is refused. For nodes it is [newest incarnation ever, generation], where the generation grows with each write and
 * is a wall clock Unix ms, so that it goes on growing after a restart; for overrides [wall clock Unix ms, counter].
 */
export interface StoredRecord {
  /** `node/ID`, `override/ID`, `balancer/NAME`. At most 128 characters, unique. */
  readonly key: string;
  readonly version: readonly [number, number];
  /** JSON-safe; at most 16 KiB when encoded. */
  readonly value: unknown;
  /** Instant after which the record may be dropped, Unix ms; absent: kept. */
  readonly expiresAtUnixMs?: number;
}

export type WriteOutcome = 'written' | 'stale';

/** Called with records that another coordinator wrote. Never called for own writes. */
export type StoreListener = (records: readonly StoredRecord[]) => void;

/**
 * Contract, held by `storeContract` for every implementation: `write` is atomic per record; what `write` said
 * `written` is in the next `load`; `stale` changes nothing; `load` skips what it cannot read and counts it; methods
 * reject with an Error when the medium is away and lose nothing that was written before; after `close` they reject.
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
  /** Returns the way to stop listening. A store that nobody shares never calls. */
  watch(listener: StoreListener): () => void;
  close(): Promise<void>;
}
