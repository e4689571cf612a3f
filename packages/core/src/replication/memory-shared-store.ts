/** The shared memory of coordinators in one process: the reference for all other implementations of `SharedStore`, and for tests. */
import { decodeAnnouncement, encodeAnnouncement } from './announcement-text.ts';
import { decodeRecord, encodeRecord } from './record-text.ts';
import type { SharedRecord } from './shared-record.ts';
import {
  type Announcement,
  type Exchanged,
  KEEP_ANNOUNCEMENT_MS,
  LAYOUT,
  MAX_COORDINATORS,
  type Point,
  type SharedStore,
} from './shared-store.ts';
import { compareVersions, isPlausible, type Version } from './version.ts';

export interface MemoryMediumOptions {
  /** Clock of the store, Unix ms. Default: it does not advance. */
  readonly nowUnixMs?: () => number;
  /** First part of the epochs. Two media whose epochs are compared need different ones. Default `memory`. */
  readonly name?: string;
}

/** One memory, with any number of stores on it. */
export interface MemoryMedium {
  /** A store of one coordinator. */
  open(): SharedStore;
  /** Deletes everything, as FLUSHALL of Redis does. */
  wipe(): void;
  /** While false, methods reject as if the medium were unreachable. True at first. */
  isReachable: boolean;
}

interface Stored {
  readonly version: Version;
  readonly text: string;
  /** Number of its last change. */
  readonly change: number;
}

interface Announced {
  readonly text: string;
  readonly atUnixMs: number;
}

/** What a medium keeps under one cluster id. */
interface Content {
  readonly clusterId: string;
  layout: number;
  epoch: string;
  change: number;
  readonly records: Map<string, Stored>;
  readonly announced: Map<string, Announced>;
}

const START_UNIX_MS = 1_795_000_000_000;

/** An empty memory. Values are copied in and out, as by a real medium. */
export function memorySharedMedium({ nowUnixMs, name = 'memory' }: MemoryMediumOptions = {}): MemoryMedium {
  const now = nowUnixMs ?? ((): number => START_UNIX_MS);
  let content: Content | undefined;
  let epochs = 0;
  const newEpoch = (): string => {
    epochs += 1;
    return `${name}-${epochs}`;
  };

  /** The content, if it belongs to the cluster; throws otherwise. */
  const ownContent = (clusterId: string): Content => {
    if (content === undefined) throw new Error('the store was emptied; the next exchange prepares it');
    if (isRefused(content, clusterId, LAYOUT))
      throw new Error(`the store belongs to cluster ${content.clusterId} with layout ${content.layout}`);
    return content;
  };

  const exchange = (announcement: Announcement, clusterId: string): Exchanged => {
    const text = encodeAnnouncement(announcement);
    const { coordinator, layout, seen } = announcement;
    if (content !== undefined && isRefused(content, clusterId, layout))
      return { type: 'refused', clusterId: content.clusterId, layout: content.layout };
    const isNew = content === undefined;
    content ??= { clusterId, layout, epoch: newEpoch(), change: 0, records: new Map(), announced: new Map() };
    content.layout = layout;
    // A store that was set back, by a failover or to a backup, numbers other changes with the same numbers.
    if (seen.epoch === content.epoch && seen.change > content.change) content.epoch = newEpoch();
    const { announced, records, epoch, change } = content;
    const atUnixMs = now();
    announced.delete(coordinator);
    announced.set(coordinator, { text, atUnixMs });
    for (const [id, each] of announced)
      if (Math.abs(atUnixMs - each.atUnixMs) > KEEP_ANNOUNCEMENT_MS || announced.size > MAX_COORDINATORS)
        announced.delete(id);
    return {
      type: 'exchanged',
      clusterId,
      at: { epoch, change },
      changed: seen.epoch === epoch ? keysAfter(records, seen) : undefined,
      coordinators: [...announced].flatMap(([id, each]) => decodeAnnouncement(id, each.text) ?? []),
      nowUnixMs: atUnixMs,
      isNew,
    };
  };

  const write = (found: Content, record: SharedRecord, text: string, isRefresh: boolean): 'written' | 'stale' => {
    const { key, version } = record;
    const stored = found.records.get(key);
    const isPresent = stored !== undefined && isPlausible(stored.version, now());
    const order = isPresent ? compareVersions(version, stored.version) : 1;
    if (order < 0 || (order === 0 && !isRefresh)) return 'stale';
    if (order > 0) found.change += 1;
    found.records.set(key, { version, text, change: order > 0 ? found.change : stored!.change });
    return 'written';
  };

  const medium: MemoryMedium = {
    isReachable: true,
    wipe: () => {
      content = undefined;
    },
    open: () => {
      let isClosed = false;
      const assertOpen = (): void => {
        if (isClosed) throw new Error('the store is closed');
        if (!medium.isReachable) throw new Error('the store is unreachable');
      };
      return {
        kind: 'memory',
        async exchange(announcement, clusterId) {
          assertOpen();
          return exchange(announcement, clusterId);
        },
        async versions() {
          assertOpen();
          return new Map([...(content?.records ?? [])].map(([key, { version }]) => [key, version]));
        },
        async read(keys) {
          assertOpen();
          const records: SharedRecord[] = [];
          for (const key of new Set(keys)) {
            const stored = content?.records.get(key);
            const record = stored && decodeRecord(key, stored.text);
            if (record !== undefined) records.push(record);
          }
          return { records, unreadable: [] };
        },
        async write(records, clusterId, isRefresh = false) {
          const texts = records.map(encodeRecord);
          assertOpen();
          const found = ownContent(clusterId);
          const outcomes = records.map((record, i) => write(found, record, texts[i]!, isRefresh));
          return { outcomes, at: { epoch: found.epoch, change: found.change } };
        },
        async forget(versions, clusterId) {
          assertOpen();
          const { records } = ownContent(clusterId);
          for (const [key, version] of versions) {
            const stored = records.get(key);
            if (stored === undefined) continue;
            const isNewer = isPlausible(stored.version, now()) && compareVersions(stored.version, version) > 0;
            if (!isNewer) records.delete(key);
          }
        },
        async withdraw(coordinator, clusterId) {
          assertOpen();
          if (content !== undefined) ownContent(clusterId).announced.delete(coordinator);
        },
        async close() {
          isClosed = true;
        },
      };
    },
  };
  return medium;
}

/** A store on a memory of its own. */
export function memorySharedStore(): SharedStore {
  return memorySharedMedium().open();
}

function isRefused(content: Content, clusterId: string, layout: number): boolean {
  return content.clusterId !== clusterId || content.layout > layout;
}

function keysAfter(records: ReadonlyMap<string, Stored>, { change }: Point): string[] {
  return [...records].filter(([, stored]) => stored.change > change).map(([key]) => key);
}
