import type { Latencies } from './latencies.ts';
import type { Metric } from './metric.ts';

/** In-flight where nobody has told a capacity: this many requests at once count as half loaded. */
const HALF_LOAD = 64;

/** Requests the node is serving right now. */
export class InFlight {
  readonly #nowMs: () => number;
  readonly #latencies: Latencies | undefined;
  #count = 0;
  #finished = 0;

  /** Latencies of answers go to `latencies`. */
  constructor(nowMs: () => number, latencies?: Latencies) {
    this.#nowMs = nowMs;
    this.#latencies = latencies;
  }

  get count(): number {
    return this.#count;
  }

  /** Requests finished since the start. */
  get finished(): number {
    return this.#finished;
  }

  /** A request has arrived. */
  begin(): ServedRequest {
    this.#count += 1;
    const isTimed = this.#latencies?.takesOne() === true;
    return new ServedRequest(this.#count, isTimed ? this.#nowMs() : Number.NaN, this);
  }

  /** For `ServedRequest`. */
  answered(inFlight: number, arrivedAtMs: number): number {
    const latencyMs = this.#nowMs() - arrivedAtMs;
    this.#latencies?.add(latencyMs, inFlight);
    return latencyMs / inFlight;
  }

  /** For `ServedRequest`. */
  ended(): void {
    this.#count -= 1;
    this.#finished += 1;
  }
}

/**
 * One request from its arrival to its end: its response has been handed to the socket whole, or its connection is
 * gone. Each step counts once, however often it is told.
 */
export class ServedRequest {
  readonly #inFlight: number;
  readonly #arrivedAtMs: number;
  readonly #owner: InFlight;
  #isAnswered = false;
  #isOpen = true;

  /** `inFlight` is how many there were at its arrival, this one included; `arrivedAtMs` is NaN when it is not timed. */
  constructor(inFlight: number, arrivedAtMs: number, owner: InFlight) {
    this.#inFlight = inFlight;
    this.#arrivedAtMs = arrivedAtMs;
    this.#owner = owner;
  }

  /**
   * The head of the answer goes out. What comes after it takes as long as the client likes.
   *
   * Returns the request's own part of the time until then: its latency shared among the requests that were in flight when
   * it came, milliseconds. A handler that does not wait has the event loop to itself, and the part is its busy time. NaN when
   * the request is not timed, and on a repeat.
   */
  answered(): number {
    if (this.#isAnswered) return Number.NaN;
    this.#isAnswered = true;
    return this.#arrivedAtMs >= 0 ? this.#owner.answered(this.#inFlight, this.#arrivedAtMs) : Number.NaN;
  }

  end(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#owner.ended();
  }
}

/** With a capacity, how many requests at once the node serves well, in-flight is a linear load; without, n / (n + 64). */
export function inFlightMetric(inFlight: InFlight, capacity: number | undefined): Metric {
  return {
    name: 'inFlight',
    scale:
      capacity === undefined
        ? { capacity: HALF_LOAD, weight: 1, isLimit: true, isSoft: true }
        : { capacity, weight: 1, isLimit: true },
    read: () => inFlight.count,
  };
}
