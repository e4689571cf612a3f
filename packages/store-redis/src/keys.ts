/**
 * Names of all keys, below one prefix. The prefix is in braces, so that all keys share a slot in a Redis Cluster and one script
 * can access several keys.
 */

/** Keys of one deployment. */
export interface Keys {
  /** Set of the keys of all records. */
  readonly index: string;
  /** Capped stream of `{key, by}`: a hint that the record `key` has changed. */
  readonly hints: string;
  /** Hash of one record. */
  record(key: string): string;
}

const PREFIX = /^[A-Za-z0-9:_-]{1,64}$/;

/** Throws a RangeError if `prefix` is not `[A-Za-z0-9:_-]{1,64}`. The prefix is configuration, not untrusted input. */
export function keysOf(prefix: string): Keys {
  if (!PREFIX.test(prefix)) throw new RangeError(`the prefix ${JSON.stringify(prefix)} is not [A-Za-z0-9:_-]{1,64}`);
  const root = `{${prefix}}`;
  return {
    index: `${root}:records`,
    hints: `${root}:hints`,
    record: (key) => `${root}:record:${key}`,
  };
}
