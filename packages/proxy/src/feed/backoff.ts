import type { Rng } from '@rollcall/core';
import { jitteredBackoffMs } from '@rollcall/protocol';

const LIMITS = { leastMs: 100, firstMs: 200, maxMs: 2_000 };

/**
 * Milliseconds to wait before connection attempt `attempt` (0 is the first after a loss). Uniform between 100 and a limit that
 * doubles from 200 to 2,000. Workers that lost the same coordinator therefore do not reconnect at the same time.
 */
export function backoffMs(attempt: number, rng: Rng): number {
  return jitteredBackoffMs(attempt, LIMITS, rng);
}
