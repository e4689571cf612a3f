import { performance } from 'node:perf_hooks';
import type { Clock } from '@rollcall/core';

/** Both kinds of time: monotonic for leases and deadlines, wall clock for people and for stored records. */
export interface Clocks extends Clock {
  /** Wall clock, Unix milliseconds. May jump; nothing expires by it. */
  nowUnixMs(): number;
}

/** The clocks of this machine. */
export const systemClocks: Clocks = {
  nowMs: () => performance.now(),
  nowUnixMs: () => Date.now(),
};
