import type { EventLoopMeter } from './event-loop.ts';
import type { InFlight } from './in-flight.ts';
import type { Latencies } from './latencies.ts';

/** Share of the newest window in the smoothed busy time. */
const ALPHA = 0.3;
/** Busy time that waits for a request to be charged to, milliseconds. */
const MAX_CARRIED_MS = 10_000;

/**
 * Milliseconds of work per request: busy time of the event loop shared out among the requests that finished, or, where
 * that is more because the program waits for something else than its own code, what the latencies show.
 */
export class ServiceTime {
  readonly #eventLoop: EventLoopMeter;
  readonly #inFlight: InFlight;
  readonly #latencies: Latencies;
  #carriedMs = 0;
  #finished = 0;
  #busyMs: number | undefined;

  constructor(eventLoop: EventLoopMeter, inFlight: InFlight, latencies: Latencies) {
    this.#eventLoop = eventLoop;
    this.#inFlight = inFlight;
    this.#latencies = latencies;
  }

  /** Call it after each sample of the event loop. */
  sample(): void {
    this.#latencies.renew();
    this.#carriedMs += this.#eventLoop.busyMs;
    const requests = this.#inFlight.finished - this.#finished;
    if (requests === 0) {
      // Work of the application's own must not be charged to the next request, however late it comes.
      this.#carriedMs = this.#inFlight.count === 0 ? 0 : Math.min(this.#carriedMs, MAX_CARRIED_MS);
      return;
    }
    const meanMs = this.#carriedMs / requests;
    this.#busyMs = this.#busyMs === undefined ? meanMs : this.#busyMs + ALPHA * (meanMs - this.#busyMs);
    this.#carriedMs = 0;
    this.#finished = this.#inFlight.finished;
  }

  /** `undefined` before the first request has finished. */
  get ms(): number | undefined {
    const waitedMs = this.#latencies.perRequestMs();
    if (this.#busyMs === undefined || waitedMs === undefined) return this.#busyMs ?? waitedMs;
    return Math.max(this.#busyMs, waitedMs);
  }
}
