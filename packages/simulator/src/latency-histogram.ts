import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

const NS_PER_MS = 1e6;

/** Latencies in milliseconds. A quantile is at most 0.1 % above the exact value; the mean is exact. */
export class LatencyHistogram {
  readonly #histogram: RecordableHistogram = createHistogram({ figures: 3 });
  #sum = 0;

  get count(): number {
    return this.#histogram.count;
  }

  get meanMs(): number {
    return this.count === 0 ? Number.NaN : this.#sum / this.count;
  }

  add(ms: number): void {
    this.#histogram.record(Math.max(1, Math.round(ms * NS_PER_MS)));
    this.#sum += ms;
  }

  /** The quantile at `share`, 0–1, milliseconds; NaN without latencies. */
  quantile(share: number): number {
    const { count } = this;
    if (count === 0) return Number.NaN;
    // A whole rank: `percentile` rounds to the nearest one.
    const rank = Math.min(count, Math.max(1, Math.ceil(share * count)));
    return this.#histogram.percentile((100 * rank) / count) / NS_PER_MS;
  }
}
