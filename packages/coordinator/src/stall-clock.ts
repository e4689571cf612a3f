/**
 * Measures how long this process did not run: blocked, suspended or without a CPU. Data that peers sent in that time is read all at
 * once afterwards. The clock is read before each message, because after a suspension sockets are read before timers run.
 */

/** Interval of the ticks, milliseconds. */
export const TICK_MS = 200;
/** A tick that is later than this counts as a stall of this process, milliseconds. */
const STALL_MS = 500;

export class StallClock {
  #lastTickMs: number | undefined;
  #pastMs = 0;

  /** Called every `TICK_MS`. Returns the delay of this tick, milliseconds; 0 if it is in time. */
  tick(nowMs: number): number {
    const lateMs = this.#lateMs(nowMs);
    this.#lastTickMs = nowMs;
    this.#pastMs += lateMs;
    return lateMs;
  }

  /** All stalls since the start, the present one included, milliseconds. */
  totalMs(nowMs: number): number {
    return this.#pastMs + this.#lateMs(nowMs);
  }

  #lateMs(nowMs: number): number {
    if (this.#lastTickMs === undefined) return 0;
    const lateMs = nowMs - this.#lastTickMs - TICK_MS;
    return lateMs < STALL_MS ? 0 : lateMs;
  }
}
