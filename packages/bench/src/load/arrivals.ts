import { type Rng, seededRng } from '@rollcall/core';

/** Due times of the requests of an open-loop run, the same for every contender. */
export class Arrivals {
  readonly #meanGapMs: number;
  readonly #isEven: boolean;
  readonly #rng: Rng;
  /** Instant of the next one, milliseconds. */
  nextAtMs: number;

  /**
   * `perSecond`: mean rate. `isEven`: equal gaps; otherwise the gaps are exponential, as of independent users.
   * `seed`: equal seeds give equal gaps.
   */
  constructor(perSecond: number, isEven: boolean, seed: number, startAtMs: number) {
    this.#meanGapMs = 1_000 / perSecond;
    this.#isEven = isEven;
    this.#rng = seededRng(seed);
    this.nextAtMs = startAtMs;
  }

  /** Advances `nextAtMs` to the next request. */
  advance(): void {
    this.nextAtMs += this.#isEven ? this.#meanGapMs : -Math.log(1 - this.#rng()) * this.#meanGapMs;
  }
}
