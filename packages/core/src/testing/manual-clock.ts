import type { Clock } from '../clock.ts';

/** A clock that only a test advances. */
export class ManualClock implements Clock {
  #nowMs: number;

  /** `startMs` is far from 0 by default, so that a forgotten start shows. */
  constructor(startMs = 1_000_000) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  /** Advances by `ms`, which is not negative, and returns the new instant. */
  advance(ms: number): number {
    if (!(ms >= 0)) throw new RangeError(`time cannot advance by ${ms} ms`);
    this.#nowMs += ms;
    return this.#nowMs;
  }
}
