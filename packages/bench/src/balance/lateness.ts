/** How late this process does what is due: what its neighbours on the machine, and it itself, add to latencies. */
const EVERY_MS = 20;

export class Lateness {
  readonly #lateMs: number[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** Looks from now on whether timers come in time. */
  watch(): void {
    if (this.#timer !== undefined) return;
    let dueMs = performance.now() + EVERY_MS;
    const look = (): void => {
      const nowMs = performance.now();
      this.add(nowMs - dueMs);
      dueMs = nowMs + EVERY_MS;
      this.#timer = setTimeout(look, EVERY_MS).unref();
    };
    this.#timer = setTimeout(look, EVERY_MS).unref();
  }

  add(ms: number): void {
    this.#lateMs.push(ms);
  }

  /** What so many (0–1) were not later than; 0 without any. */
  percentileMs(ratio: number): number {
    const sorted = this.#lateMs.toSorted((one, other) => one - other);
    return Math.max(0, sorted[Math.ceil(ratio * sorted.length) - 1] ?? 0);
  }
}
