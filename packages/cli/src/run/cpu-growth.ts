/** Shortest interval over which CPU use is compared, in milliseconds: the kernel counts CPU time in steps of 10 ms. */
const WINDOW_MS = 900;
/** Ratio of one core. A waiting program uses less: timers, garbage collection, a watchdog. */
const MIN_RATIO = 0.05;

/** Whether a program is computing, by its total CPU time. */
export class CpuGrowth {
  #atMs = Number.NaN;
  #cpuMs = 0;
  #isGrowing = false;

  /**
   * True if the program used 5 % of a core or more between two calls at least 0.9 s apart. `cpuMs` is its total CPU time since its
   * start; `undefined`, for a program that cannot be measured, never grows.
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
