import type { Metric } from './metric.ts';

/** Samples that make up the window: one second at four a second. */
const WINDOW = 4;

/**
 * How much later than asked for the event loop came round, in milliseconds: the longest of the last second. Measured at
 * the timer that takes the samples, because a monitor of its own would wake an idle program fifty times a second.
 */
export class EventLoopDelay {
  readonly #nowMs: () => number;
  readonly #everyMs: number;
  readonly #lateMs: number[] = [];
  #lastMs: number;

  /** Samples are meant to be taken each `everyMs`. */
  constructor(everyMs: number, nowMs: () => number) {
    this.#everyMs = everyMs;
    this.#nowMs = nowMs;
    this.#lastMs = nowMs();
  }

  sample(): number {
    const nowMs = this.#nowMs();
    this.#lateMs.push(Math.max(0, nowMs - this.#lastMs - this.#everyMs));
    this.#lastMs = nowMs;
    if (this.#lateMs.length > WINDOW) this.#lateMs.shift();
    return Math.max(...this.#lateMs);
  }
}

/** Only shown: a loop that is late has been busy, and that counts already. */
export function eventLoopDelayMetric(delay: EventLoopDelay): Metric {
  return { name: 'eventLoopDelay', scale: { capacity: 100, weight: 0, unit: 'ms' }, read: () => delay.sample() };
}
