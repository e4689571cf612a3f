/**
 * The shared records of the cluster as one coordinator holds them. Every coordinator holds all of them, so that each can fill an empty store.
 *
 * It has no clock and no store. The caller writes what `takeChanged` returns to the store and to its own file, and calls `merge` with what it
 * reads. `missing` and `lower` compare with a whole store.
 */
import { mergeRecords } from './merge-rules.ts';
import {
  isDeletion,
  KEEP_DELETION_MS,
  MAX_KEY_LENGTH,
  type Remaining,
  type SharedRecord,
  TIMERS,
  type TimerName,
} from './shared-record.ts';
import type { StoredVersions } from './shared-store.ts';
import { compareVersions, isPlausible, isVersion, NO_VERSION, type Version, VersionClock } from './version.ts';

/** An instant of both clocks: `nowMs` is monotonic and counts remaining times, `nowUnixMs` is the wall clock and makes versions. */
export interface Instants {
  readonly nowMs: number;
  readonly nowUnixMs: number;
}

/** What a merge has changed here. */
export interface MergeResult {
  /** Keys of records whose value or timers differ from before. */
  readonly changed: readonly string[];
  /** Records that do not stand. Most are earlier versions of the record that stands, not conflicts. */
  readonly lost: readonly SharedRecord[];
  /** Keys of records that were refused: without a valid key, version, value or remaining times, or with an implausible version. */
  readonly unreadable: readonly string[];
  /** Keys of records that were left out because the replica is full. */
  readonly leftOut: readonly string[];
}

/** Remaining times as instants of the monotonic clock. */
type Ends = Readonly<Partial<Record<TimerName, number>>>;

interface Held {
  readonly version: Version;
  readonly value: unknown;
  readonly ends: Ends;
  readonly after: Version | undefined;
}

/** Bounds of a replica. A coordinator is not limited in what it writes itself: its registry has bounds. */
export interface ReplicaBounds {
  /** Greatest number of records. Default 200,000: ten thousand nodes, with reports of five coordinators, requests and deletions. */
  readonly maxRecords?: number;
  /** Greatest number of records of unknown kinds, which later releases may have written. Default 1,000. */
  readonly maxUnknown?: number;
}

export class Replica {
  readonly #coordinator: string;
  readonly #records = new Map<string, Held>();
  readonly #kinds = new Set<string>();
  readonly #bounds: Required<ReplicaBounds>;
  /** Number of records of unknown kinds. */
  #unknown = 0;
  readonly #clock: VersionClock;
  readonly #changed = new Set<string>();

  /** `coordinator`: random id of this coordinator, which stays the same over restarts. */
  constructor(coordinator: string, { maxRecords = 200_000, maxUnknown = 1_000 }: ReplicaBounds = {}) {
    this.#coordinator = coordinator;
    this.#clock = new VersionClock(coordinator);
    this.#bounds = { maxRecords, maxUnknown };
  }

  /** Declares a kind of records, before the first record: `KIND/NAME` is known. */
  know(kind: string): void {
    this.#kinds.add(kind);
  }

  get size(): number {
    return this.#records.size;
  }

  /** The record as of now; `undefined` if none is held, also if it has expired. A deletion is a record. */
  get(key: string, nowMs: number): SharedRecord | undefined {
    const held = this.#records.get(key);
    return held === undefined || isExpired(held, nowMs) ? undefined : recordOf(key, held, nowMs);
  }

  /** Writes a value of this coordinator, if it or a timer differs from what is held. Returns the version of the record. */
  put(key: string, value: unknown, remaining: Remaining, now: Instants): Version {
    const held = this.#records.get(key);
    const ends = endsOf(remaining, now.nowMs);
    if (held !== undefined && !isExpired(held, now.nowMs) && isSame(held, { value, ends })) return held.version;
    const version = this.#clock.next(now.nowUnixMs);
    this.#hold(key, { version, value, ends, after: this.#after(held) });
    return version;
  }

  /** For a record that replaces `held`. */
  #after(held: Held | undefined): Version | undefined {
    return held === undefined || held.version[1] === this.#coordinator ? held?.after : held.version;
  }

  /** Gives a record a new version, higher than `above`. Returns whether it is held. */
  renew(key: string, { nowMs, nowUnixMs }: Instants, above: Version = NO_VERSION): boolean {
    const held = this.#records.get(key);
    if (held === undefined || isExpired(held, nowMs)) return false;
    if (isPlausible(above, nowUnixMs)) this.#clock.saw(above);
    this.#hold(key, { ...held, version: this.#clock.next(nowUnixMs) });
    return true;
  }

  /** Deletes a record. `isPermanent`: the deletion does not expire, as for a revoked token without an expiry. */
  delete(key: string, now: Instants, isPermanent = false): void {
    const held = this.#records.get(key);
    if (held === undefined || isDeletion(held)) return;
    this.put(key, null, isPermanent ? {} : { expires: KEEP_DELETION_MS }, now);
  }

  /** Takes records that another coordinator, the store or the own file has. */
  merge(records: readonly SharedRecord[], now: Instants): MergeResult {
    const changed: string[] = [];
    const lost: SharedRecord[] = [];
    const unreadable: string[] = [];
    const leftOut: string[] = [];
    for (const record of records) {
      if (!isReadable(record) || !isPlausible(record.version, now.nowUnixMs)) unreadable.push(keyTextOf(record));
      else if (isOver(record.remaining)) continue;
      else if (!this.#hasRoom(record.key)) leftOut.push(record.key);
      else if (this.#mergeOne(record, now, lost)) changed.push(record.key);
    }
    return { changed, lost, unreadable, leftOut };
  }

  /** `added` and `addedUnknown`: records that are about to be added. */
  #hasRoom(key: string, added = 0, addedUnknown = 0): boolean {
    if (this.#records.has(key)) return true;
    const { maxRecords, maxUnknown } = this.#bounds;
    return this.#records.size + added < maxRecords && (this.#isKnown(key) || this.#unknown + addedUnknown < maxUnknown);
  }

  #isKnown(key: string): boolean {
    return this.#kinds.has(key.slice(0, Math.max(0, key.indexOf('/'))));
  }

  #mergeOne(theirs: SharedRecord, now: Instants, lost: SharedRecord[]): boolean {
    const { key } = theirs;
    const { nowMs } = now;
    this.#clock.saw(theirs.version);
    const found = this.#records.get(key);
    const ends = endsOf(theirs.remaining, nowMs);
    const taken: Held = { version: theirs.version, value: theirs.value, ends, after: theirs.after };
    if (found === undefined || isExpired(found, nowMs)) {
      this.#hold(key, taken);
      return true;
    }
    const order = compareVersions(found.version, theirs.version);
    if (order === 0) return this.#shorten(key, found, taken.ends);
    const mine = recordOf(key, found, nowMs);
    const merged = mergeRecords(mine, theirs);
    const isMineHigher = order > 0;
    if (merged === 'mine' && isMineHigher) {
      lost.push(theirs);
      return false;
    }
    lost.push(merged === 'mine' ? theirs : mine);
    if (merged === 'theirs' && !isMineHigher) this.#hold(key, taken);
    else {
      // The record that stands has a lower version than the other one, or is new: with its own version no other coordinator would take it.
      const value = typeof merged === 'object' ? merged.value : merged === 'mine' ? found.value : taken.value;
      const { ends } = merged === 'mine' || (merged !== 'theirs' && isMineHigher) ? found : taken;
      this.#hold(key, { version: this.#clock.next(now.nowUnixMs), value, ends, after: undefined });
    }
    return true;
  }

  /** The same version twice: of two remaining times the shorter one is right, because time that remains only falls. */
  #shorten(key: string, held: Held, theirs: Ends): boolean {
    const ends: Partial<Record<TimerName, number>> = { ...held.ends };
    let isShorter = false;
    for (const timer of TIMERS) {
      const [own, other] = [held.ends[timer], theirs[timer]];
      if (own === undefined || other === undefined || other >= own) continue;
      ends[timer] = other;
      isShorter = true;
    }
    if (isShorter) this.#hold(key, { ...held, ends });
    return isShorter;
  }

  #hold(key: string, held: Held): void {
    if (!this.#records.has(key) && !this.#isKnown(key)) this.#unknown += 1;
    this.#records.set(key, held);
    this.#changed.add(key);
  }

  /** Records that have changed since the last call, to be written to the own file and to the store. */
  takeChanged(nowMs: number): SharedRecord[] {
    const records: SharedRecord[] = [];
    for (const key of this.#changed) {
      const record = this.get(key, nowMs);
      if (record !== undefined) records.push(record);
    }
    this.#changed.clear();
    return records;
  }

  /**
   * Records that a store with these versions lacks or has in a lower version. The other direction is `merge`. A version that cannot be read,
   * or is implausible, counts as absent: the store takes any other one.
   */
  missing(stored: StoredVersions, { nowMs, nowUnixMs }: Instants): SharedRecord[] {
    const records: SharedRecord[] = [];
    for (const [key, held] of this.#records) {
      if (isExpired(held, nowMs)) continue;
      const version = stored.get(key);
      if (version === undefined || !isPlausible(version, nowUnixMs) || compareVersions(held.version, version) > 0)
        records.push(recordOf(key, held, nowMs));
    }
    return records;
  }

  /** Keys that a store with these versions has in a higher version, or that are not held here. `leftOut`: there is no room for them. */
  lower(
    stored: StoredVersions,
    nowMs: number,
  ): { readonly keys: readonly string[]; readonly leftOut: readonly string[] } {
    const keys: string[] = [];
    const leftOut: string[] = [];
    let [added, addedUnknown] = [0, 0];
    for (const [key, version] of stored) {
      const held = this.#records.get(key);
      if (held === undefined) {
        if (this.#hasRoom(key, added, addedUnknown)) {
          added += 1;
          if (!this.#isKnown(key)) addedUnknown += 1;
          keys.push(key);
        } else leftOut.push(key);
      } else if (isExpired(held, nowMs) || (version !== undefined && compareVersions(version, held.version) > 0))
        keys.push(key);
    }
    return { keys, leftOut };
  }

  /** Records with timers, which are written again each minute: in the store a remaining time does not fall by itself. */
  timed(nowMs: number): SharedRecord[] {
    const records: SharedRecord[] = [];
    for (const [key, held] of this.#records)
      if (!isExpired(held, nowMs) && TIMERS.some((timer) => held.ends[timer] !== undefined))
        records.push(recordOf(key, held, nowMs));
    return records;
  }

  /** Forgets expired records. Returns their keys and versions, which the store may forget as well. */
  expire(nowMs: number): ReadonlyMap<string, Version> {
    const expired = new Map<string, Version>();
    for (const [key, held] of this.#records) if (isExpired(held, nowMs)) expired.set(key, held.version);
    for (const key of expired.keys()) {
      this.#records.delete(key);
      if (!this.#isKnown(key)) this.#unknown -= 1;
    }
    return expired;
  }

  /** All records as of now, in no order. */
  all(nowMs: number): SharedRecord[] {
    return [...this.#records].flatMap(([key, held]) => (isExpired(held, nowMs) ? [] : recordOf(key, held, nowMs)));
  }
}

/** Two remaining times of one timer that differ by less are the same, milliseconds. */
const SAME_TIME_MS = 1_000;

function isSame(held: Pick<Held, 'value' | 'ends'>, other: Pick<Held, 'value' | 'ends'>): boolean {
  const hasSameTimes = TIMERS.every((timer) => {
    const [own, others] = [held.ends[timer], other.ends[timer]];
    return own === undefined || others === undefined ? own === others : Math.abs(own - others) < SAME_TIME_MS;
  });
  return hasSameTimes && JSON.stringify(held.value) === JSON.stringify(other.value);
}

function isExpired({ ends: { expires } }: Held, nowMs: number): boolean {
  return expires !== undefined && expires <= nowMs;
}

function isOver({ expires }: Remaining): boolean {
  return expires !== undefined && expires <= 0;
}

function endsOf(remaining: Remaining, nowMs: number): Ends {
  const ends: Partial<Record<TimerName, number>> = {};
  for (const timer of TIMERS) {
    const ms = remaining[timer];
    if (ms !== undefined) ends[timer] = nowMs + ms;
  }
  return ends;
}

function recordOf(key: string, { version, value, ends, after }: Held, nowMs: number): SharedRecord {
  const remaining: Partial<Record<TimerName, number>> = {};
  for (const timer of TIMERS) {
    const atMs = ends[timer];
    if (atMs !== undefined) remaining[timer] = atMs - nowMs;
  }
  return { key, version, value, remaining, ...(after !== undefined && { after }) };
}

/** The key of a record that is perhaps none; empty without one. */
function keyTextOf(record: SharedRecord): string {
  const key: unknown = (record as SharedRecord | null)?.key;
  return typeof key === 'string' ? key.slice(0, MAX_KEY_LENGTH) : '';
}

/** Another process has written the record: its type is a claim. */
function isReadable(record: SharedRecord): boolean {
  if (
    record === null ||
    typeof record !== 'object' ||
    typeof record.remaining !== 'object' ||
    record.remaining === null
  )
    return false;
  const { key, version, remaining } = record;
  if (typeof key !== 'string' || key.length > MAX_KEY_LENGTH || !isVersion(version) || record.value === undefined)
    return false;
  if (record.after !== undefined && !isVersion(record.after)) return false;
  return TIMERS.every((timer) => remaining[timer] === undefined || Number.isFinite(remaining[timer]));
}
