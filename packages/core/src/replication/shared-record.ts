/**
 * A record that coordinators share. Times travel as durations that remain, because no coordinator compares another one's clock with its own.
 */
import type { Version } from './version.ts';

/**
 * - `expires`: the record ends, at all coordinators. Deletions have one of at most a day.
 * - `deadline`: the drain of an operator's request ends.
 * - `until`: an operator's request ends.
 */
export const TIMERS = ['expires', 'deadline', 'until'] as const;
export type TimerName = (typeof TIMERS)[number];

/** Milliseconds that remain. Below 0 for a deadline that is over; a record with `expires` at 0 or below is not sent. */
export type Remaining = Readonly<Partial<Record<TimerName, number>>>;

export interface SharedRecord {
  /** `KIND/NAME`. At most 128 characters. */
  readonly key: string;
  readonly version: Version;
  /** JSON-safe; at most 16 KiB when encoded. `null`: deleted. */
  readonly value: unknown;
  readonly remaining: Remaining;
  /** The latest version of another coordinator that the writer knew and replaced. Absent: none. */
  readonly after?: Version;
}

/** Greatest length of a key, characters. */
export const MAX_KEY_LENGTH = 128;
/** Greatest length of a value, characters of JSON. */
export const MAX_VALUE_LENGTH = 16_384;

/** Of two records of one key the one that stands, or a value that neither has. */
export type Merged = 'mine' | 'theirs' | { readonly value: unknown };

/** The record of a deletion, which keeps older versions from coming back. */
export function isDeletion({ value }: Pick<SharedRecord, 'value'>): boolean {
  return value === null;
}

/** Time that a deletion is kept, milliseconds. A coordinator that could not share for longer takes the records of the others over its own. */
export const KEEP_DELETION_MS = 86_400_000;
