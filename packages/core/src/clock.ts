/**
 * Monotonic time in milliseconds, from an arbitrary start. Never the wall clock: leases and deadlines must not move
 * when the wall clock is set.
 */
export interface Clock {
  nowMs(): number;
}
