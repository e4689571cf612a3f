import type { EventLoopMeter } from './event-loop.ts';
import type { InFlight } from './in-flight.ts';
import type { Latencies } from './latencies.ts';

/** Share of the newest window in the smoothed busy time. */
const ALPHA = 0.3;
/** Of fewer answers nobody can say which are slow. */
const MIN_SHARES = 8;
/** Busy time that waits for a request to be charged to, milliseconds. */
const MAX_CARRIED_MS = 10_000;

/**
 * Milliseconds of work per request: busy time of the event loop shared out among the requests that finished, or, where
 * that is more because the program waits for something else than its own code, what the latencies show. For all requests
 * together, and for one of them.
 */
export class ServiceTime {
  readonly #eventLoop: EventLoopMeter;
  readonly #inFlight: InFlight;
  readonly #latencies: Latencies;
  #carriedMs = 0;
  #finished = 0;
  #busyMs: number | undefined;
  #waitedMs: number | undefined;
  /** No request's own time counts for more: the slowest eighth waited for an event. */
  #mostMs = Number.POSITIVE_INFINITY;
  /** Own times since the last sample. */
  #ownSumMs = 0;
  #owns = 0;
  #ownMs: number | undefined;
  /** Part of the busy time that own times do not show, for each request. */
  #restMs = 0;

  constructor(eventLoop: EventLoopMeter, inFlight: InFlight, latencies: Latencies) {
    this.#eventLoop = eventLoop;
    this.#inFlight = inFlight;
    this.#latencies = latencies;
  }

  /** Call it after each sample of the event loop. */
  sample(): void {
    this.#latencies.renew();
    this.#lookAtShares();
    this.#lookAtLoop();
    this.#restMs = Math.max(0, (this.#busyMs ?? 0) - (this.#ownMs ?? 0));
  }

  /** Of all requests, smoothed; `undefined` before the first has finished. */
  get ms(): number | undefined {
    if (this.#busyMs === undefined || this.#waitedMs === undefined) return this.#busyMs ?? this.#waitedMs;
    return Math.max(this.#busyMs, this.#waitedMs);
  }

  /**
   * Of one request, whose own part of the time until its head was `shareMs`; to be asked once for each that is timed.
   *
   * What the loop does for requests before they arrive and after their heads (parsing, writing, a stream's body) nobody can tell
   * of one alone: it is added as the mean of all. So the mean of what is told is the larger of busy time and latencies again.
   */
  ofOne(shareMs: number): number {
    const ownMs = Math.min(shareMs, this.#mostMs);
    this.#ownSumMs += ownMs;
    this.#owns += 1;
    return ownMs + this.#restMs;
  }

  #lookAtShares(): void {
    const shares = this.#latencies.shares();
    if (shares.length > 0) {
      if (shares.length >= MIN_SHARES) this.#mostMs = shares.at(-1)!;
      this.#waitedMs = shares.reduce((sum, share) => sum + share, 0) / shares.length;
    }
    if (this.#owns > 0) this.#ownMs = smoothed(this.#ownMs, this.#ownSumMs / this.#owns);
    this.#ownSumMs = 0;
    this.#owns = 0;
  }

  #lookAtLoop(): void {
    this.#carriedMs += this.#eventLoop.busyMs;
    const requests = this.#inFlight.finished - this.#finished;
    if (requests === 0) {
      // Work of the application's own must not be charged to the next request, however late it comes.
      this.#carriedMs = this.#inFlight.count === 0 ? 0 : Math.min(this.#carriedMs, MAX_CARRIED_MS);
      return;
    }
    this.#busyMs = smoothed(this.#busyMs, this.#carriedMs / requests);
    this.#carriedMs = 0;
    this.#finished = this.#inFlight.finished;
  }
}

function smoothed(before: number | undefined, newest: number): number {
  return before === undefined ? newest : before + ALPHA * (newest - before);
}
