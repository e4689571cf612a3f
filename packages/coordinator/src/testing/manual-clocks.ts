import { ManualClock } from '@rollcall/core/testing';
import type { Clocks } from '../clocks.ts';

/** Both clocks, standing still together until told to go on. */
export class ManualClocks extends ManualClock implements Clocks {
  nowUnixMs(): number {
    return 1_700_000_000_000 + this.nowMs();
  }
}
