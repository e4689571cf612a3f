/** Uniform random numbers in [0, 1). */
export type Rng = () => number;

/** Upper bound of the first delay, in milliseconds. */
export const BACKOFF_FIRST_MS = 250;
/** Upper bound of every later delay, in milliseconds. */
export const BACKOFF_MAX_MS = 10_000;

/**
 * Milliseconds to wait before the next attempt: uniformly random between 0 and min(10 s, 0.25 s · 2^attempt).
 *
 * `attempt` counts from 0 and is 0 again after a success. Anything but a whole number ≥ 0 counts as 0.
 *
 * @see M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog 2015: "full jitter".
 */
export function backoffMs(attempt: number, rng: Rng): number {
  const exponent = Number.isInteger(attempt) && attempt > 0 ? Math.min(attempt, 16) : 0;
  return rng() * Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** exponent);
}
