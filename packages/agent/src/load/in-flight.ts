import type { Latencies } from './latencies.ts';
import type { Metric } from './metric.ts';

/** In-flight where nobody has told a capacity: this many requests at once count as half loaded. */
const HALF_LOAD = 64;

/** Requests the node is serving right now. */
export class InFlight {
  readonly #nowMs: () => number;
  readonly #latencies: Latencies | undefined;
  /** Requests whose connection is not known. */
  readonly #elsewhere = new ConnectionRequests(this);
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

  /** Requests that have arrived since the start. */
  get arrived(): number {
    return this.#count + this.#finished;
  }

  /** A request has arrived on `connection`, with which it ends at the latest. */
  begin(connection: ConnectionRequests = this.#elsewhere): ServedRequest {
    this.#count += 1;
    connection.begun();
    const isTimed = this.#latencies?.takesOne() === true;
    return new ServedRequest(this.#count, isTimed ? this.#nowMs() : Number.NaN, this, connection);
  }

  /** For `ServedRequest`. */
  answered(inFlight: number, arrivedAtMs: number): number {
    const latencyMs = this.#nowMs() - arrivedAtMs;
    this.#latencies?.add(latencyMs, inFlight);
    return latencyMs / inFlight;
  }

  /** For `ConnectionRequests`. */
  ended(requests: number): void {
    this.#count -= requests;
    this.#finished += requests;
  }
}

/**
 * Requests of one connection that are in flight.
 *
 * The response of a pipelined request waits for those before it. When the connection closes while it waits, it emits no
 * `close`: the request ends with the connection.
 */
export class ConnectionRequests {
  readonly #owner: InFlight;
  #open = 0;

  constructor(owner: InFlight) {
    this.#owner = owner;
  }

  /** For `InFlight`. */
  begun(): void {
    this.#open += 1;
  }

  /** For `ServedRequest`. After `closed` it changes nothing. */
  ended(): void {
    if (this.#open === 0) return;
    this.#open -= 1;
    this.#owner.ended(1);
  }

  /** The connection is closed: all of its requests end. */
  closed(): void {
    this.#owner.ended(this.#open);
    this.#open = 0;
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
  readonly #connection: ConnectionRequests;
  #isAnswered = false;
  #isOpen = true;

  /** `inFlight` is how many there were at its arrival, this one included; `arrivedAtMs` is NaN when it is not timed. */
  constructor(inFlight: number, arrivedAtMs: number, owner: InFlight, connection: ConnectionRequests) {
    this.#inFlight = inFlight;
    this.#arrivedAtMs = arrivedAtMs;
    this.#owner = owner;
    this.#connection = connection;
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
    this.#connection.ended();
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
