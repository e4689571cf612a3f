/** CPU used over at least this time is looked at, in milliseconds: the kernel counts it in steps of 10 ms. */
const WINDOW_MS = 900;
/** Of one core. Less is what a program uses that waits: timers, garbage collection, a watchdog. */
const MIN_RATIO = 0.05;

/** Whether a program is computing, by the CPU time that it has used in all. */
export class CpuGrowth {
  #atMs = Number.NaN;
  #cpuMs = 0;
  #isGrowing = false;

  /**
   * True when the program used 5 % of a core or more from one look to the next, at least 0.9 s later. `cpuMs` is all that it
   * has used since its start; `undefined`, for a program that cannot be measured, never grows.
   */
  look(cpuMs: number | undefined, nowMs: number): boolean {
    if (cpuMs === undefined) return false;
    const elapsedMs = nowMs - this.#atMs;
    if (elapsedMs < WINDOW_MS) return this.#isGrowing;
    this.#isGrowing = (cpuMs - this.#cpuMs) / elapsedMs >= MIN_RATIO;
    this.#atMs = nowMs;
    this.#cpuMs = cpuMs;
    return this.#isGrowing;
  }
}
