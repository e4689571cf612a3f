import { type Draw, exponential, seededDraw } from '../numbers/draws.ts';

/** When requests of an open-loop run are due, the same for every contender. */
export class Arrivals {
  readonly #meanGapMs: number;
  readonly #isEven: boolean;
  readonly #draw: Draw;
  /** Instant of the next one, milliseconds. */
  nextAtMs: number;

  /**
   * `perSecond`: mean rate. `isEven`: gaps of one length; otherwise they are exponential, as of many users who know nothing
   * of each other. `seed`: the same seed gives the same gaps.
   */
  constructor(perSecond: number, isEven: boolean, seed: number, startAtMs: number) {
    this.#meanGapMs = 1_000 / perSecond;
    this.#isEven = isEven;
    this.#draw = seededDraw(seed);
    this.nextAtMs = startAtMs;
  }

  /** Goes on to the next. */
  advance(): void {
    this.nextAtMs += this.#isEven ? this.#meanGapMs : exponential(this.#draw, this.#meanGapMs);
  }
}
