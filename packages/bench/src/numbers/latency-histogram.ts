/**
 * Counts latencies in buckets with a width of at most 1/64 of their value, so that a percentile has an error of at most 1.6 %.
 * Millions of samples from several processes need a few kilobytes.
 *
 * Not `perf_hooks.createHistogram`: its counts cannot leave the process, and these are merged from several.
 *
 * @see HdrHistogram for the idea of linear buckets within powers of two.
 */

/** log2 of the buckets in each power of two. */
const PRECISION_BITS = 6;
const STEPS = 1 << PRECISION_BITS;
/** Latencies of 2^31 µs, 35 minutes, and more share the last bucket. */
const MAX_US = 2 ** 31 - 1;
const BUCKETS = (32 - PRECISION_BITS) * STEPS;

/** Serialised form: pairs of bucket and count, and the maximum latency in microseconds. */
export interface HistogramRecord {
  readonly counts: readonly (readonly [bucket: number, count: number])[];
  readonly maxUs: number;
}

export class LatencyHistogram {
  readonly #counts = new Float64Array(BUCKETS);
  #total = 0;
  #maxUs = 0;

  /** Number of samples. */
  get total(): number {
    return this.#total;
  }

  /** The exact maximum, microseconds; 0 without samples. */
  get maxUs(): number {
    return this.#maxUs;
  }

  /** Adds one latency, microseconds. A negative one counts as 0. */
  add(us: number): void {
    const whole = us < 0 ? 0 : us > MAX_US ? MAX_US : Math.floor(us);
    this.#counts[bucketOf(whole)]!++;
    this.#total++;
    if (us > this.#maxUs) this.#maxUs = us;
  }

  /** The quantile at `ratio`, 0–1, microseconds; NaN without samples. */
  percentileUs(ratio: number): number {
    if (this.#total === 0) return Number.NaN;
    const wanted = Math.max(1, Math.ceil(ratio * this.#total));
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.#counts[bucket]!;
      if (seen >= wanted) return Math.min(highestOf(bucket), this.#maxUs);
    }
    return this.#maxUs;
  }

  record(): HistogramRecord {
    const counts: [number, number][] = [];
    for (let bucket = 0; bucket < BUCKETS; bucket++)
      if (this.#counts[bucket]! > 0) counts.push([bucket, this.#counts[bucket]!]);
    return { counts, maxUs: this.#maxUs };
  }

  /** Adds the counts of another histogram. */
  merge({ counts, maxUs }: HistogramRecord): void {
    for (const [bucket, count] of counts) {
      this.#counts[bucket]! += count;
      this.#total += count;
    }
    if (maxUs > this.#maxUs) this.#maxUs = maxUs;
  }
}

/** Below `2 × STEPS` one bucket for each microsecond, above `STEPS` buckets for each power of two. */
function bucketOf(us: number): number {
  const shift = Math.max(0, 31 - Math.clz32(us | 1) - PRECISION_BITS);
  return shift * STEPS + (us >>> shift);
}

/** The maximum latency of a bucket, microseconds. */
function highestOf(bucket: number): number {
  if (bucket < 2 * STEPS) return bucket;
  const shift = Math.floor(bucket / STEPS) - 1;
  return (bucket - shift * STEPS + 1) * 2 ** shift - 1;
}
