/**
 * How long the node has taken for its last answers, each with the number of requests it was serving when that one came.
 *
 * @see Prequal (Wydrowski et al., NSDI 2024): the latency a replica promises is the median of recent completions at or
 *   near its present requests in flight, tagged at arrival.
 */
import type { InFlight } from './in-flight.ts';
import type { Metric } from './metric.ts';

/** Answers that are remembered. */
const REMEMBERED = 64;
/** Requests timed between two samples, of which there are four a second. */
const TIMED = 64;
/** Of the answers remembered so many count that came when about as much was in flight. */
const NEAREST = 9;
/** Part of the answers, the slowest, that says nothing of the node's work: somebody waited for an event. */
const WAITING_RATIO = 1 / 8;

export class Latencies {
  readonly #latencyMs = new Float64Array(REMEMBERED);
  readonly #inFlight = new Float64Array(REMEMBERED);
  #added = 0;
  #left = TIMED;

  /** Whether the request that has just arrived shall be timed: on a busy node reading the clock for all would cost more than it tells. */
  takesOne(): boolean {
    if (this.#left === 0) return false;
    this.#left -= 1;
    return true;
  }

  /** A sample has been taken: others may be timed. */
  renew(): void {
    this.#left = TIMED;
  }

  /** An answer after `latencyMs`; `inFlight` were being served when its request came, itself included. */
  add(latencyMs: number, inFlight: number): void {
    if (!(latencyMs >= 0) || !(inFlight >= 1)) return;
    const at = this.#added % REMEMBERED;
    this.#latencyMs[at] = latencyMs;
    this.#inFlight[at] = inFlight;
    this.#added += 1;
  }

  /** Median latency of the answers nearest to `inFlight`, milliseconds; `undefined` before the first answer. */
  near(inFlight: number): number | undefined {
    const nearest = this.#indexes()
      .sort((one, other) => this.#distance(one, inFlight) - this.#distance(other, inFlight))
      .slice(0, NEAREST)
      .map((at) => this.#latencyMs[at]!)
      .sort((one, other) => one - other);
    return nearest[nearest.length >> 1];
  }

  /**
   * The node's time for each answer, as latency shared among those that were in flight with it: milliseconds, rising, the
   * slowest eighth left out; empty before the first answer. It is what a node that waits for others (a database, a queue,
   * a virtual CPU) takes, which its event loop does not show.
   */
  shares(): readonly number[] {
    const shares = this.#indexes()
      .map((at) => this.#latencyMs[at]! / this.#inFlight[at]!)
      .sort((one, other) => one - other);
    return shares.slice(0, Math.ceil(shares.length * (1 - WAITING_RATIO)));
  }

  /** Of the answers, newest first. */
  #indexes(): number[] {
    const count = Math.min(this.#added, REMEMBERED);
    return Array.from({ length: count }, (_, age) => (this.#added - 1 - age) % REMEMBERED);
  }

  #distance(at: number, inFlight: number): number {
    return Math.abs(this.#inFlight[at]! - inFlight);
  }
}

/** Latency to be expected at the present in-flight, milliseconds; only shown unless it is given a weight. */
export function latencyMetric(latencies: Latencies, inFlight: InFlight): Metric {
  return {
    name: 'latency',
    scale: { capacity: 1_000, weight: 0, unit: 'ms' },
    read: () => latencies.near(inFlight.count + 1),
  };
}
