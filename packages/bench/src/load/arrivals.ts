/** When requests of an open-loop run are due, the same for every contender. */
export class Arrivals {
  readonly #meanGapMs: number;
  readonly #isEven: boolean;
  #state: number;
  /** Instant of the next one, milliseconds. */
  nextAtMs: number;

  /**
   * `perSecond`: mean rate. `isEven`: gaps of one length; otherwise they are exponential, as of many users who know nothing
   * of each other. `seed`: the same seed gives the same gaps.
   */
  constructor(perSecond: number, isEven: boolean, seed: number, startAtMs: number) {
    this.#meanGapMs = 1_000 / perSecond;
    this.#isEven = isEven;
    this.#state = seed >>> 0;
    this.nextAtMs = startAtMs;
  }

  /** Goes on to the next. */
  advance(): void {
    this.nextAtMs += this.#isEven ? this.#meanGapMs : -Math.log(1 - this.#random()) * this.#meanGapMs;
  }

  /** Uniform in [0, 1). @see mulberry32 (Tommy Ettinger, public domain) */
  #random(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
}
