/**
 * Latencies of the last responses, each with the requests in flight at its arrival.
 *
 * @see Prequal (Wydrowski et al., NSDI 2024). Its latency estimate of a replica is the median of recent latencies at or near
 *   the present requests in flight, tagged at arrival.
 */
import type { InFlight } from './in-flight.ts';
import type { Metric } from './metric.ts';

/** Number of stored responses. */
const REMEMBERED = 64;
/** Requests timed between two samples. There are four samples a second. */
const TIMED = 64;
/** Number of stored responses in the median: those whose in-flight is nearest. */
const NEAREST = 9;
/** Share of the slowest responses that are ignored: they waited for an event, for example a long poll. */
const WAITING_RATIO = 1 / 8;

export class Latencies {
  readonly #latencyMs = new Float64Array(REMEMBERED);
  readonly #inFlight = new Float64Array(REMEMBERED);
  #added = 0;
  #left = TIMED;

  /** Whether the request that has just arrived is timed: reading the clock for all requests is expensive on a busy node. */
  takesOne(): boolean {
    if (this.#left === 0) return false;
    this.#left -= 1;
    return true;
  }

  /** Starts the next interval, after a sample: `TIMED` more requests are timed. */
  renew(): void {
    this.#left = TIMED;
  }

  /** Adds a response with its latency and the requests in flight at its arrival, including itself. */
  add(latencyMs: number, inFlight: number): void {
    if (!(latencyMs >= 0) || !(inFlight >= 1)) return;
    const at = this.#added % REMEMBERED;
    this.#latencyMs[at] = latencyMs;
    this.#inFlight[at] = inFlight;
    this.#added += 1;
  }

  /** Median latency of the responses nearest to `inFlight`, in milliseconds; `undefined` before the first response. */
  near(inFlight: number): number | undefined {
    const nearest = this.#indexes()
      .sort((one, other) => this.#distance(one, inFlight) - this.#distance(other, inFlight))
      .slice(0, NEAREST)
      .map((at) => this.#latencyMs[at]!)
      .sort((one, other) => one - other);
    return nearest[nearest.length >> 1];
  }

  /**
   * Latency / in-flight of each response, in milliseconds, ascending, without the slowest eighth. Empty before the first
   * response. It includes waiting (a database, a queue, a virtual CPU), unlike the busy time of the event loop.
   */
  shares(): readonly number[] {
    const shares = this.#indexes()
      .map((at) => this.#latencyMs[at]! / this.#inFlight[at]!)
      .sort((one, other) => one - other);
    return shares.slice(0, Math.ceil(shares.length * (1 - WAITING_RATIO)));
  }

  /** Indexes of the responses, newest first. */
  #indexes(): number[] {
    const count = Math.min(this.#added, REMEMBERED);
    return Array.from({ length: count }, (_, age) => (this.#added - 1 - age) % REMEMBERED);
  }

  #distance(at: number, inFlight: number): number {
    return Math.abs(this.#inFlight[at]! - inFlight);
  }
}

/** Expected latency of the next request, in milliseconds. Weight 0 by default. */
export function latencyMetric(latencies: Latencies, inFlight: InFlight): Metric {
  return {
    name: 'latency',
    scale: { capacity: 1_000, weight: 0, unit: 'ms' },
    read: () => latencies.near(inFlight.count + 1),
  };
}
