/**
 * Names of all keys, below one prefix. The prefix is in braces, so that all keys share a slot in a Redis Cluster and one script can access
 * several keys.
 */
import { LAYOUT } from '@rollcall/core';

/** Keys of one cluster. */
export interface Keys {
  /** Hash of the whole store, the same in all layouts: `id`, `layout`, `origin`, `epoch`, `change`, `count`, `imported`. */
  readonly cluster: string;
  /** Hash: key of a record → JSON of version, value and remaining times. */
  readonly records: string;
  /** Hash: key of a record → `MS COORDINATOR`. */
  readonly versions: string;
  /** Sorted set: key of a record, by the number of its last change. */
  readonly changes: string;
  /** Hash: id of a coordinator → Redis time of the announcement in seconds, then its JSON. */
  readonly coordinators: string;
  /** Set of the keys of all records of layout 1. */
  readonly oldRecords: string;
  /** Hash of one record of layout 1. */
  oldRecord(key: string): string;
}

const PREFIX = /^[A-Za-z0-9:_-]{1,64}$/;

/** Throws a RangeError if `prefix` is not `[A-Za-z0-9:_-]{1,64}`. The prefix is configuration, not untrusted input. */
export function keysOf(prefix: string): Keys {
  if (!PREFIX.test(prefix)) throw new RangeError(`the prefix ${JSON.stringify(prefix)} is not [A-Za-z0-9:_-]{1,64}`);
  const root = `{${prefix}}`;
  const own = (name: string): string => `${root}:${LAYOUT}:${name}`;
  return {
    cluster: `${root}:cluster`,
    records: own('records'),
    versions: own('versions'),
    changes: own('changes'),
    coordinators: own('coordinators'),
    oldRecords: `${root}:records`,
    oldRecord: (key) => `${root}:record:${key}`,
  };
}
