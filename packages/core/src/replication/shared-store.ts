/**
 * The port to the memory that coordinators share. It is never the source of truth and never on the path of a request. Every coordinator holds
 * all of its records, and fills it again when it was emptied.
 */
import type { StoredRecord } from '../store/store.ts';
import type { SharedRecord } from './shared-record.ts';
import type { Version } from './version.ts';

/** Layout of keys and values that this release reads and writes. */
export const LAYOUT = 2;

/** Time for which a store keeps the announcement of a coordinator that sends no other one, milliseconds. */
export const KEEP_ANNOUNCEMENT_MS = 86_400_000;

/** Greatest number of announcements that a store keeps: those announced last. */
export const MAX_COORDINATORS = 64;

/** What a coordinator announces about itself with each exchange. */
export interface Announcement {
  /** Random id of the coordinator. */
  readonly coordinator: string;
  /** For people. At most 128 characters. */
  readonly name: string;
  readonly release: string;
  /** Address at which agents reach the coordinator, as `parseAnnouncedUrl` accepts it. Absent: not known, or an earlier release. */
  readonly url?: string;
  readonly layout: number;
  /** Increases with each exchange. */
  readonly counter: number;
  /** The change up to which all is in force at this coordinator. */
  readonly seen: Point;
  /** Use of nodes under an operator's drain or stop, by the workers of this coordinator. Absent: the release does not send it. */
  readonly use?: DrainUse;
}

/** Sessions, sessions seen once, requests in flight and tunnels of a node; `null`: not all workers have the request yet. */
export type NodeUse = readonly [sessions: number, seenOnce: number, inFlight: number, tunnels: number] | null;

export interface DrainUse {
  /** Nodes that are in use; by id. */
  readonly nodes: Readonly<Record<string, NodeUse>>;
  /** Nodes that are not listed are unused. False: there were too many to list. */
  readonly isWhole: boolean;
}

/** Greatest number of nodes in the use of an announcement. */
export const MAX_NODES_IN_USE = 48;

/** A place in the order of changes. Numbers of two epochs cannot be compared: the store was emptied in between. */
export interface Point {
  readonly epoch: string;
  /** Number of the change; 0 before the first. */
  readonly change: number;
}

/** What the store answers to an exchange. */
export type Exchanged =
  /** The store belongs to another cluster, or has a layout that this release does not write. Nothing was announced. */
  | {
      readonly type: 'refused';
      readonly clusterId: string;
      /** `undefined`: it has none, or one that cannot be read. */
      readonly layout: number | undefined;
    }
  | {
      readonly type: 'exchanged';
      /** Random id of the cluster: the one in the store, or the own one if the store had none. */
      readonly clusterId: string;
      readonly at: Point;
      /**
       * Keys of all records that have changed after `seen`. `undefined`: unknown, because `seen` is of another epoch or
       * the connection is new. Then all `versions` have to be compared; until that was done, the next answers are `undefined`, too.
       */
      readonly changed: readonly string[] | undefined;
      /**
       * All coordinators that have announced themselves, this one included. Left out are entries that cannot be read, entries older
       * than `KEEP_ANNOUNCEMENT_MS`, and all but the latest `MAX_COORDINATORS`.
       */
      readonly coordinators: readonly Announcement[];
      /** Clock of the store, Unix ms. */
      readonly nowUnixMs: number;
      /** The store had no cluster id before this exchange: it was empty. */
      readonly isNew: boolean;
    };

/** Versions of records by key. `undefined`: another program has written a version that cannot be read. */
export type StoredVersions = ReadonlyMap<string, Version | undefined>;

export interface Written {
  /** One per record, in order. `stale`: the store has the same version or a higher one, and was not changed. */
  readonly outcomes: readonly ('written' | 'stale')[];
  /** A coordinator that has seen this point has these records. */
  readonly at: Point;
}

/**
 * Contract, checked by `sharedStoreContract` for every implementation:
 *
 * - Methods reject with an Error while the medium is unreachable, and after `close`.
 * - `write`, `forget` and `withdraw` are atomic per record, and never write to a store of another cluster or of a later layout: then they reject.
 * - `write` and `forget` also reject if the store was emptied: the next `exchange` prepares it, so that all coordinators learn of it.
 * - `write` rejects with a RangeError, before it sends anything, if a record exceeds a bound. This is a mistake of the caller.
 * - A record whose version is invalid, or implausible by the clock of the store, counts as absent: any other version replaces it.
 * - A method that was carried out twice, because its answer was lost, has the effect of one call.
 */
export interface SharedStore {
  readonly kind: string;
  /** Name that the coordinators of one cluster share, for people; absent: the store has room for one cluster. */
  readonly cluster?: string;
  /** Announces the coordinator and asks for changes. `clusterId` becomes the id of an empty store. */
  exchange(announcement: Announcement, clusterId: string): Promise<Exchanged>;
  /** Versions of all records. */
  versions(): Promise<StoredVersions>;
  /** The records of these keys, in no order. `unreadable`: keys whose record is too large or no record. Absent keys are left out. */
  read(
    keys: readonly string[],
  ): Promise<{ readonly records: readonly SharedRecord[]; readonly unreadable: readonly string[] }>;
  /** `isRefresh`: records of the same version replace the remaining times, and count as no change. */
  write(records: readonly SharedRecord[], clusterId: string, isRefresh?: boolean): Promise<Written>;
  /** Removes expired records, where the store has no higher version than the given one. Counts as no change. */
  forget(versions: ReadonlyMap<string, Version>, clusterId: string): Promise<void>;
  /** Forgets the announcement of a coordinator that ends. */
  withdraw(coordinator: string, clusterId: string): Promise<void>;
  /** Records that release 0.1.0 has left; `undefined` after `markImported`. Absent where that release wrote none. */
  readEarlier?(): Promise<readonly StoredRecord[] | undefined>;
  /** Marks the records of release 0.1.0 as taken, for all coordinators. */
  markImported?(clusterId: string): Promise<void>;
  close(): Promise<void>;
}
