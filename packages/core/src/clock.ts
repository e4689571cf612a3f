/**
 * Monotonic time in milliseconds, from an arbitrary start. Never the wall clock: leases and deadlines must not move
 * when somebody sets the time.
 */
export interface Clock {
  nowMs(): number;
}
