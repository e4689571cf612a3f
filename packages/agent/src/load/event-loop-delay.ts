import type { Metric } from './metric.ts';

/** Samples in the window: 1 s at four samples a second. */
const WINDOW = 4;

/**
 * Largest delay of the event loop in the last second, in milliseconds. It is the delay of the sampling timer: a separate
 * monitor would wake an idle program 50 times a second.
 */
export class EventLoopDelay {
  readonly #nowMs: () => number;
  readonly #everyMs: number;
  readonly #lateMs: number[] = [];
  #lastMs: number;

  /** `everyMs`: interval of the samples, in milliseconds. */
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

/** Weight 0: the utilisation of the event loop already includes a busy loop. */
export function eventLoopDelayMetric(delay: EventLoopDelay): Metric {
  return { name: 'eventLoopDelay', scale: { capacity: 100, weight: 0, unit: 'ms' }, read: () => delay.sample() };
}
