/** Latencies in buckets that grow by half a percent, so that a percentile is exact to that. */
const GROWTH = 1.005;
const SMALLEST_MS = 0.001;
const BUCKETS = 4_000;
const LOG_GROWTH = Math.log(GROWTH);

export class LatencyHistogram {
  readonly #counts = new Float64Array(BUCKETS);
  #count = 0;
  #sum = 0;

  get count(): number {
    return this.#count;
  }

  get meanMs(): number {
    return this.#count === 0 ? Number.NaN : this.#sum / this.#count;
  }

  add(ms: number): void {
    const bucket = ms <= SMALLEST_MS ? 0 : Math.floor(Math.log(ms / SMALLEST_MS) / LOG_GROWTH) + 1;
    this.#counts[Math.min(BUCKETS - 1, bucket)]! += 1;
    this.#count++;
    this.#sum += ms;
  }

  /** The latency that `share` of all stay below, milliseconds; NaN without any. */
  quantile(share: number): number {
    if (this.#count === 0) return Number.NaN;
    const rank = Math.ceil(share * this.#count);
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.#counts[bucket]!;
      if (seen >= rank) return SMALLEST_MS * GROWTH ** (bucket - 0.5);
    }
    return Number.NaN;
  }
}
