/** Growth of a total per second, over at least the last second. */
export class Rate {
  readonly #read: () => number;
  readonly #nowMs: () => number;
  #lastTotal: number;
  #lastMs: number;
  #perSecond = 0;

  /** `read` returns a total that never decreases. `nowMs` is monotonic. */
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
