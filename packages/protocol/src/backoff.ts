/** Limits of the delays between attempts, milliseconds. */
export interface BackoffLimits {
  /** Lower bound of every delay. Default 0. */
  readonly leastMs?: number;
  /** Upper bound of the first delay; it doubles with each attempt. */
  readonly firstMs: number;
  /** Upper bound of every delay. */
  readonly maxMs: number;
}

/** Largest exponent: with it the doubled bound exceeds any `maxMs`. */
const MAX_EXPONENT = 16;

/**
 * Milliseconds to wait before the next attempt: uniformly random between `leastMs` and min(`maxMs`, `firstMs` · 2^attempt).
 *
 * `attempt` counts from 0. Any value but a whole number ≥ 0 counts as 0. `rng`: uniform in [0, 1).
 *
 * @see M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog 2015: "full jitter".
 */
export function jitteredBackoffMs(
  attempt: number,
  { leastMs = 0, firstMs, maxMs }: BackoffLimits,
  rng: () => number,
): number {
  const exponent = Number.isInteger(attempt) && attempt > 0 ? Math.min(attempt, MAX_EXPONENT) : 0;
  return leastMs + rng() * (Math.min(maxMs, firstMs * 2 ** exponent) - leastMs);
}
