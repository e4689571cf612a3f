/** Arithmetic of leases, without timers. */

/** A lease from `renewedAtMs` for `durationMs`; with Infinity it never ends. */
export interface Lease {
  readonly renewedAtMs: number;
  readonly durationMs: number;
}

/**
 * Milliseconds until `lease` expires at `nowMs`; negative once overdue. Equality still counts as live.
 *
 * @see Netflix eureka Lease.java, where renewing adds the duration twice; the test "a renewed lease lives one duration,
 *   not two" exists because of it.
 */
export function remainingMs(lease: Lease, nowMs: number): number {
  return lease.renewedAtMs + lease.durationMs - nowMs;
}

/** True when the lease has been over for any time at all. */
export function isOver(lease: Lease, nowMs: number): boolean {
  return remainingMs(lease, nowMs) < 0;
}

/**
 * The instant of a renewal after the coordinator was blocked for `stalledMs`: silence in that time does not count.
 * Never later than `nowMs`.
 *
 * @see Netflix eureka EvictionTask "compensation time"; memberlist's Lifeguard.
 */
export function shiftedByStall(renewedAtMs: number, stalledMs: number, nowMs: number): number {
  return Math.min(nowMs, renewedAtMs + stalledMs);
}
