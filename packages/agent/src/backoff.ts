import { jitteredBackoffMs } from '@rollcall/protocol';

/** Uniform random numbers in [0, 1). */
export type Rng = () => number;

/** Upper bound of the first delay, in milliseconds. */
export const BACKOFF_FIRST_MS = 250;
/** Upper bound of every later delay, in milliseconds. */
export const BACKOFF_MAX_MS = 10_000;

/**
 * Milliseconds to wait before the next attempt: uniformly random between 0 and min(10 s, 0.25 s · 2^attempt).
 *
 * `attempt` is a whole number from 0, and 0 again after a success. Any other value counts as 0.
 */
export function backoffMs(attempt: number, rng: Rng): number {
  return jitteredBackoffMs(attempt, { firstMs: BACKOFF_FIRST_MS, maxMs: BACKOFF_MAX_MS }, rng);
}
