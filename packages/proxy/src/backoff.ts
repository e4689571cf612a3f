import type { Rng } from '@rollcall/core';

const BASE_MS = 100;
const MAX_MS = 2_000;

/**
 * Milliseconds to wait before connection attempt `attempt` (0 is the first after a loss): uniform between 100 and a
 * limit that doubles from 200 to 2,000, so that workers that lost the same coordinator do not come back together.
 *
 * @see Brooker, "Exponential backoff and jitter" (AWS, 2015): full jitter.
 */
export function backoffMs(attempt: number, rng: Rng): number {
  const limitMs = Math.min(MAX_MS, 2 * BASE_MS * 2 ** Math.min(attempt, 10));
  return BASE_MS + rng() * (limitMs - BASE_MS);
}
