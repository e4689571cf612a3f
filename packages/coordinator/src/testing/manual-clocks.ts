import { ManualClock } from '@rollcall/core/testing';
import type { Clocks } from '../clocks.ts';

/** Both clocks; they advance together, only when the test advances them. */
export class ManualClocks extends ManualClock implements Clocks {
  nowUnixMs(): number {
    return 1_700_000_000_000 + this.nowMs();
  }
}
