/**
 * Names of all keys, under one prefix. The prefix is in braces, so that in a Redis Cluster all of them share a slot and
 * scripts may touch several at once.
 */

/** Keys of one deployment. */
export interface Keys {
  /** Set of the keys of all records. */
  readonly index: string;
  /** Capped stream of `{key, by}`: only a hint that something has changed. */
  readonly hints: string;
  /** Hash of one record. */
  record(key: string): string;
}

const PREFIX = /^[A-Za-z0-9:_-]{1,64}$/;

/** Throws for a prefix that is not `[A-Za-z0-9:_-]{1,64}`: it comes from the configuration, not from a stranger. */
export function keysOf(prefix: string): Keys {
  if (!PREFIX.test(prefix)) throw new RangeError(`the prefix ${JSON.stringify(prefix)} is not [A-Za-z0-9:_-]{1,64}`);
  const root = `{${prefix}}`;
  return {
    index: `${root}:records`,
    hints: `${root}:hints`,
    record: (key) => `${root}:record:${key}`,
  };
}
