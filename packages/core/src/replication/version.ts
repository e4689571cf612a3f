/**
 * Versions of shared records: a hybrid logical clock. A coordinator takes its wall clock, or the highest version that it has seen plus 1 if
 * that is greater. A later request has the higher version as soon as its
 * coordinator knows the earlier one. The wall clocks of two coordinators may differ by hours.
 *
 * @see Kulkarni, Demirbas, Madappa, Avva, Leone, "Logical Physical Clocks" (2014).
 */

/** Milliseconds, then the id of the coordinator that wrote the record. Compared left to right. */
export type Version = readonly [ms: number, coordinator: string];

/** Lower than every version of a record. */
export const NO_VERSION: Version = [0, ''];

/** Greatest `ms` of a version: the year 36812. A higher one is refused. */
export const MAX_VERSION_MS = 1_100_000_000_000_000;

/**
 * Time of a wall clock that was never set, Unix ms: 2026-01-01. It may show 1970 after a start, and must then accept the records of others.
 */
export const EARLIEST_CLOCK_MS = 1_767_225_600_000;
/** A plausible version is at most this far ahead of the wall clock, milliseconds: a hundred years. */
export const MAX_AHEAD_MS = 3_155_760_000_000;

/**
 * Whether a coordinator can have made a version until now. Others are unreadable: a clock that followed one could reach
 * `MAX_VERSION_MS`, and then make no later version. The bound advances with the wall clock, by a thousand versions a second: a version exactly
 * at the bound stops no clock. `nowUnixMs`: the own wall clock, or that of the store. They may differ by hours.
 */
export function isPlausible([ms]: Version, nowUnixMs: number): boolean {
  return ms <= Math.max(nowUnixMs, EARLIEST_CLOCK_MS) + MAX_AHEAD_MS;
}

/** Negative if `one` is lower than `other`, 0 for the same version, positive if it is higher. */
export function compareVersions(one: Version, other: Version): number {
  if (one[0] !== other[0]) return one[0] - other[0];
  return one[1] < other[1] ? -1 : one[1] > other[1] ? 1 : 0;
}

export function isVersion(value: unknown): value is Version {
  if (!Array.isArray(value) || value.length !== 2) return false;
  const [ms, coordinator] = value as unknown[];
  return isVersionMs(ms) && isCoordinatorId(coordinator);
}

/** Random id of a coordinator: 1 to 32 hexadecimal digits in lower case. */
export function isCoordinatorId(value: unknown): value is string {
  return typeof value === 'string' && COORDINATOR_ID.test(value);
}

const COORDINATOR_ID = /^[0-9a-f]{1,32}$/;

function isVersionMs(ms: unknown): ms is number {
  return Number.isSafeInteger(ms) && (ms as number) > 0 && (ms as number) <= MAX_VERSION_MS;
}

/** Makes the versions of one coordinator. */
export class VersionClock {
  readonly #coordinator: string;
  #highestMs = 0;

  constructor(coordinator: string) {
    this.#coordinator = coordinator;
  }

  /** A version of another coordinator, or of an earlier start of this one. */
  saw([ms]: Version): void {
    if (ms > this.#highestMs) this.#highestMs = ms;
  }

  /** A version that is higher than all that this coordinator has seen or made. `nowUnixMs` is the wall clock, which may be wrong. */
  next(nowUnixMs: number): Version {
    this.#highestMs = Math.min(MAX_VERSION_MS, Math.max(Math.floor(nowUnixMs), this.#highestMs + 1));
    return [this.#highestMs, this.#coordinator];
  }
}
