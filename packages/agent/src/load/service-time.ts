import type { EventLoopMeter } from './event-loop.ts';
import type { InFlight } from './in-flight.ts';
import type { Latencies } from './latencies.ts';

/** Weight of the newest sample in the smoothed times. */
const ALPHA = 0.3;
/** Minimum number of responses for a limit of own times. */
const MIN_SHARES = 8;
/** Maximum busy time that is carried over until a request finishes, in milliseconds. */
const MAX_CARRIED_MS = 10_000;

/**
 * Service time per request, in milliseconds: the larger of busy time of the event loop / finished requests, and the shares of
 * the latencies. The latter is larger for programs that wait, for example for a database. For all requests, and for one.
 */
export class ServiceTime {
  readonly #eventLoop: EventLoopMeter;
  readonly #inFlight: InFlight;
  readonly #latencies: Latencies;
  #carriedMs = 0;
  #finished = 0;
  #busyMs: number | undefined;
  #waitedMs: number | undefined;
  /** Maximum of a request's own time: the slowest eighth of the responses waited for an event. */
  #mostMs = Number.POSITIVE_INFINITY;
  /** Sum of the own times since the last sample. */
  #ownSumMs = 0;
  #owns = 0;
  #ownMs: number | undefined;
  /** Busy time per request that the own times do not include. */
  #restMs = 0;

  constructor(eventLoop: EventLoopMeter, inFlight: InFlight, latencies: Latencies) {
    this.#eventLoop = eventLoop;
    this.#inFlight = inFlight;
    this.#latencies = latencies;
  }

  /** Called after each sample of the event loop. */
  sample(): void {
    this.#latencies.renew();
    this.#lookAtShares();
    this.#lookAtLoop();
    this.#restMs = Math.max(0, (this.#busyMs ?? 0) - (this.#ownMs ?? 0));
  }

  /** Smoothed service time of all requests; `undefined` before the first has finished. */
  get ms(): number | undefined {
    if (this.#busyMs === undefined || this.#waitedMs === undefined) return this.#busyMs ?? this.#waitedMs;
    return Math.max(this.#busyMs, this.#waitedMs);
  }

  /**
   * Service time of one request. `shareMs` is its share of the latency until its head. Called once for each timed request.
   *
   * The time of the loop before the arrival and after the head (parsing, writing, the body of a stream) is unknown for a single
   * request. The mean of all requests is added. So the mean of the results is the larger of busy time and latencies again.
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
      // Work of the application without requests must not count for the next request.
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
