import { ManualTimers } from '@rollcall/protocol/testing';
import type { Delay } from '../cluster/node-probes.ts';

/** Delays that pass when a test advances time. */
export class ManualDelays extends ManualTimers {
  readonly delay: Delay = (run, delayMs) => this.after(delayMs, run);

  constructor() {
    // Far from 0, so that a missing start time is detected.
    super(1_000_000);
  }
}
