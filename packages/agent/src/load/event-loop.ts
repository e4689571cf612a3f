import { type EventLoopUtilization, performance } from 'node:perf_hooks';
import type { Metric } from './metric.ts';

/** Samples in the window: 1 s at four samples a second. */
const WINDOW = 4;
/** Minimum time of a measurement, in milliseconds: the loop is always busy while it takes a sample. */
const MIN_ELAPSED_MS = 100;

/**
 * Utilisation of this thread's event loop, the scarcest resource of most Node.js programs. Unlike CPU time it does not
 * include cores that the program cannot use.
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

  /** Utilisation at the last sample, 0–1. */
  get utilisation(): number {
    return this.#utilisation;
  }

  /** Busy time of the loop between the last two samples, in milliseconds. */
  get busyMs(): number {
    return this.#busyMs;
  }
}

export function eventLoopMetric(meter: EventLoopMeter): Metric {
  return { name: 'eventLoop', scale: { capacity: 1, weight: 1, isLimit: true }, read: () => meter.sample() };
}
