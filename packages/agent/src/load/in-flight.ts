import type { Latencies } from './latencies.ts';
import type { Metric } from './metric.ts';

/** Requests in flight at load 0.5, if no capacity is configured. */
const HALF_LOAD = 64;

/** Counts the requests in flight of a node. */
export class InFlight {
  readonly #nowMs: () => number;
  readonly #latencies: Latencies | undefined;
  /** Requests whose connection is not known. */
  readonly #elsewhere = new ConnectionRequests(this);
  #count = 0;
  #finished = 0;

  /** `latencies` receives the latencies of responses. `nowMs` is monotonic. */
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

  /** Counts a request that has arrived on `connection`. It ends at the latest with this connection. */
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

  /** Ends all requests of the connection, which is closed. */
  closed(): void {
    this.#owner.ended(this.#open);
    this.#open = 0;
  }
}

/**
 * One request, from its arrival until its response was written to the socket or its connection is closed. Each step counts
 * once; repeated calls have no effect.
 */
export class ServedRequest {
  readonly #inFlight: number;
  readonly #arrivedAtMs: number;
  readonly #owner: InFlight;
  readonly #connection: ConnectionRequests;
  #isAnswered = false;
  #isOpen = true;

  /** `inFlight`: requests in flight at its arrival, including this one. `arrivedAtMs` is NaN if the request is not timed. */
  constructor(inFlight: number, arrivedAtMs: number, owner: InFlight, connection: ConnectionRequests) {
    this.#inFlight = inFlight;
    this.#arrivedAtMs = arrivedAtMs;
    this.#owner = owner;
    this.#connection = connection;
  }

  /**
   * Called when the head of the response is sent. The time for the body depends on the client and is not counted.
   *
   * Returns the request's share of the latency, in milliseconds: the time since its arrival / the requests in flight at its
   * arrival. For a handler that does not wait, this is its busy time. NaN if the request is not timed, and for a repeated
   * call.
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

/** The load of n requests in flight: n / capacity, or n / (n + 64) if `capacity` is undefined. */
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
