/** Sessions as workers and coordinator send them to each other: hashes, never ids. */

/** Length of a hash, characters of base64url. */
export const SESSION_HASH_LENGTH = 8;

/** Hashes of one table of sessions. Above 32,768 sessions only hashes that end in `level` zero bits are sent, and each represents 2^level sessions. */
export interface SessionHashes {
  readonly level: number;
  /** Hashes, grouped by the age of the last request, counted in parts of the idle time. */
  readonly seen: readonly (readonly [age: number, hashes: string])[];
}

/** Sessions of one node that were seen again and, in `once`, the ones that were seen once. Without `once` there are none to report. */
export interface SessionSample extends SessionHashes {
  /** Length of a part of the idle time, milliseconds. */
  readonly partMs: number;
  /** Remaining time of the present part, milliseconds. */
  readonly partEndsInMs: number;
  readonly once?: SessionHashes;
}

/** Number of hashes in a sample, of both kinds. */
export function hashesIn({ seen, once }: SessionSample): number {
  let characters = 0;
  for (const [, hashes] of seen) characters += hashes.length;
  for (const [, hashes] of once?.seen ?? []) characters += hashes.length;
  return characters / SESSION_HASH_LENGTH;
}
