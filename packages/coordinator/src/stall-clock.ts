/**
 * How long this process did not run: blocked, suspended or without a CPU. Peers went on sending in that time, and what
 * they sent is read all at once. Asked before each message, because after a suspension sockets are read before timers run.
 */

/** Between two ticks, milliseconds. */
export const TICK_MS = 200;
/** A tick that comes later than this was held up by us, not by the nodes. */
const STALL_MS = 500;

export class StallClock {
  #lastTickMs: number | undefined;
  #pastMs = 0;

  /** Called every `TICK_MS`. Returns how late this tick is, milliseconds; 0 when in time. */
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
