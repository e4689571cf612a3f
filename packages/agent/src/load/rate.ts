/** How fast a total grows, per second, over the last second or a little more. */
export class Rate {
  readonly #read: () => number;
  readonly #nowMs: () => number;
  #lastTotal: number;
  #lastMs: number;
  #perSecond = 0;

  /** `read` gives a total that never falls. */
  constructor(read: () => number, nowMs: () => number) {
    this.#read = read;
    this.#nowMs = nowMs;
    this.#lastTotal = read();
    this.#lastMs = nowMs();
  }

  sample(): number {
    const nowMs = this.#nowMs();
    const elapsedMs = nowMs - this.#lastMs;
    if (elapsedMs < 1_000) return this.#perSecond;
    const total = this.#read();
    this.#perSecond = Math.max(0, ((total - this.#lastTotal) * 1_000) / elapsedMs);
    this.#lastTotal = total;
    this.#lastMs = nowMs;
    return this.#perSecond;
  }
}
