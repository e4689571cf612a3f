import { type EventLoopUtilization, performance } from 'node:perf_hooks';
import type { Metric } from './metric.ts';

/** Samples that make up the window. At four samples a second: one second. */
const WINDOW = 4;
/** Over a shorter time than this, in milliseconds, utilisation says nothing: the moment itself is always busy. */
const MIN_ELAPSED_MS = 100;

/**
 * Utilisation of this thread's event loop: the scarcest resource of most Node programs, and unlike CPU time not
 * diluted by cores the program cannot use.
 */
export class EventLoopMeter {
  readonly #read: () => EventLoopUtilization;
  readonly #window: EventLoopUtilization[];
  #utilisation = 0;
  #busyMs = 0;

  constructor(read: () => EventLoopUtilization = () => performance.eventLoopUtilization()) {
    this.#read = read;
    this.#window = [read()];
  }

  /** 0 idle … 1 never idle, over the whole window. */
  sample(): number {
    const now = this.#read();
    const oldest = this.#window[0]!;
    const previous = this.#window.at(-1)!;
    this.#window.push(now);
    if (this.#window.length > WINDOW) this.#window.shift();
    this.#busyMs = Math.max(0, now.active - previous.active);
    const busyMs = now.active - oldest.active;
    const elapsedMs = busyMs + now.idle - oldest.idle;
    if (elapsedMs >= MIN_ELAPSED_MS) this.#utilisation = Math.min(1, Math.max(0, busyMs / elapsedMs));
    return this.#utilisation;
  }

  /** As of the last sample. */
  get utilisation(): number {
    return this.#utilisation;
  }

  /** Milliseconds the loop was busy between the last two samples. */
  get busyMs(): number {
    return this.#busyMs;
  }
}

export function eventLoopMetric(meter: EventLoopMeter): Metric {
  return { name: 'eventLoop', scale: { capacity: 1, weight: 1, isLimit: true }, read: () => meter.sample() };
}
