/**
 * Records of other parts than the registry, such as tokens: each part shares the records of one kind, whose keys are `KIND/NAME`.
 * Pure, like `SharedRegistry`, with which it has the replica in common.
 */
import type { Instants, Replica } from './replica.ts';
import { isDeletion, KEEP_DELETION_MS, MAX_VALUE_LENGTH, type Remaining, type SharedRecord } from './shared-record.ts';
import { NO_VERSION } from './version.ts';

/** The part that a kind belongs to. It may change records of its kind in each of these calls. */
export interface SharedPart {
  /**
   * Takes records as they stand now: the own file's at the start, then records that others have changed. `value` is `null` for records
   * that were deleted or have expired. Values are not checked: another release may have written them.
   */
  take(records: readonly SharedRecord[]): void;
  /** All that the store has was taken, for the first time. What only this coordinator has may be shared now. */
  complete?(): void;
  /**
   * Records of the own file count also after more than a day without the store. Default false: then the store's records replace them. Only for
   * kinds whose deletions do not expire.
   */
  readonly isKept?: boolean;
}

/** The records of one kind. */
export class SharedKind {
  readonly #replica: Replica;
  readonly #prefix: string;

  constructor(replica: Replica, kind: string) {
    this.#replica = replica;
    this.#prefix = `${kind}/`;
  }

  key(name: string): string {
    return `${this.#prefix}${name}`;
  }

  /** The record as of now, also a deletion; `undefined` if there is none. */
  get(name: string, nowMs: number): SharedRecord | undefined {
    return this.#replica.get(this.key(name), nowMs);
  }

  /** Shares a value. Returns whether it is short enough to be shared. An unchanged value is not written again. */
  put(name: string, value: unknown, remaining: Remaining, now: Instants): boolean {
    if (JSON.stringify(value).length > MAX_VALUE_LENGTH) return false;
    this.#replica.put(this.key(name), value, remaining, now);
    return true;
  }

  /**
   * Deletes the record at all coordinators, also if it is not held here: others may have it. `isPermanent`: the deletion does not expire.
   * Default false: after a day, an old copy may return.
   */
  delete(name: string, now: Instants, isPermanent = false): void {
    const held = this.get(name, now.nowMs);
    if (held !== undefined && isDeletion(held)) return;
    this.#replica.put(this.key(name), null, isPermanent ? {} : { expires: KEEP_DELETION_MS }, now);
  }
}

/** The kinds of all parts. */
export class SharedKinds {
  readonly #replica: Replica;
  readonly #parts = new Map<string, SharedPart>();
  #isComplete = false;

  constructor(replica: Replica) {
    this.#replica = replica;
  }

  /** Adds a part, before the start. Throws for a kind that has one. */
  add(kind: string, part: SharedPart): SharedKind {
    if (this.#parts.has(kind)) throw new Error(`the kind ${kind} belongs to another part`);
    this.#parts.set(kind, part);
    this.#replica.know(kind);
    return new SharedKind(this.#replica, kind);
  }

  /** Whether a record of the own file counts also after more than a day without the store. */
  isKept({ key }: Pick<SharedRecord, 'key'>): boolean {
    return this.#parts.get(kindOf(key))?.isKept === true;
  }

  /** Gives the parts their records of `keys`: of the own file, changed by a merge, or expired. */
  take(keys: Iterable<string>, { nowMs }: Instants): void {
    const byPart = new Map<SharedPart, SharedRecord[]>();
    for (const key of keys) {
      const part = this.#parts.get(kindOf(key));
      if (part === undefined) continue;
      const records = byPart.get(part) ?? [];
      byPart.set(part, records);
      records.push(this.#replica.get(key, nowMs) ?? { key, version: NO_VERSION, value: null, remaining: {} });
    }
    for (const [part, records] of byPart) part.take(records);
  }

  /** All that the store has was taken. A repeat has no effect. */
  complete(): void {
    if (this.#isComplete) return;
    this.#isComplete = true;
    for (const part of this.#parts.values()) part.complete?.();
  }
}

function kindOf(key: string): string {
  return key.slice(0, Math.max(0, key.indexOf('/')));
}
