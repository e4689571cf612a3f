/** Latencies of the latest answers of one node, by the number of requests in flight when the request arrived. */

/** Latencies kept for each number of requests in flight. */
const KEPT = 16;
const MAX_IN_FLIGHT = 512;

export class RecentLatencies {
  readonly #byInFlight: number[][] = [];

  add(inFlight: number, latencyMs: number): void {
    const at = Math.min(MAX_IN_FLIGHT, inFlight);
    while (this.#byInFlight.length <= at) this.#byInFlight.push([]);
    const values = this.#byInFlight[at]!;
    values.push(latencyMs);
    if (values.length > KEPT) values.shift();
  }

  /** Median of the latencies with the number nearest to `inFlight`, milliseconds; 0 before the first answer. */
  medianMs(inFlight: number): number {
    for (let off = 0; off <= MAX_IN_FLIGHT; off++) {
      const near = this.#byInFlight[inFlight - off];
      const values = near !== undefined && near.length > 0 ? near : this.#byInFlight[inFlight + off];
      if (values !== undefined && values.length > 0) return [...values].sort((a, b) => a - b)[values.length >> 1]!;
      if (inFlight - off < 0 && inFlight + off >= this.#byInFlight.length) break;
    }
    return 0;
  }
}
