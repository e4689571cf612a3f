/** How a number of the application becomes load. */
export interface MetricOptions {
  /** The value that means full, above 0, default 1. */
  readonly capacity?: number;
  /** Its say among the application's metrics, above 0, default 1. */
  readonly weight?: number;
}

/** Most metrics an application may add; together with ours they fit into one heartbeat. */
export const MAX_METRICS = 24;

interface Metric {
  readonly capacity: number;
  readonly weight: number;
  readonly read: () => number;
}

/** Load and values of the application's own metrics. */
export interface MetricSample {
  /** Weighted mean of value / capacity, 0 idle … 1 full; 0 without metrics. */
  readonly load: number;
  readonly values: Readonly<Record<string, number>>;
}

/**
 * Metrics the application adds, combined as mod_cluster does: Σ(weight · value / capacity) / Σ weight, each share
 * clamped to 0 … 1. A metric that throws or gives no finite number is left out of that sample and told once.
 */
export class ApplicationMetrics {
  readonly #metrics = new Map<string, Metric>();
  readonly #onFailure: (name: string, reason: string) => void;

  constructor(onFailure: (name: string, reason: string) => void) {
    this.#onFailure = onFailure;
  }

  get size(): number {
    return this.#metrics.size;
  }

  /** Adds a metric, or replaces the one of that name. */
  add(name: string, options: MetricOptions, read: () => number): void {
    this.#metrics.set(name, { capacity: positive(options.capacity), weight: positive(options.weight), read });
  }

  has(name: string): boolean {
    return this.#metrics.has(name);
  }

  sample(): MetricSample {
    const values: Record<string, number> = {};
    let sum = 0;
    let weights = 0;
    for (const [name, metric] of this.#metrics) {
      const value = this.#read(name, metric);
      if (value === undefined) continue;
      const share = Math.min(1, Math.max(0, value / metric.capacity));
      values[name] = share;
      sum += metric.weight * share;
      weights += metric.weight;
    }
    return { load: weights > 0 ? sum / weights : 0, values };
  }

  #read(name: string, metric: Metric): number | undefined {
    try {
      const value = metric.read();
      if (Number.isFinite(value)) return value;
      this.#onFailure(name, `gave ${String(value)}`);
    } catch (error) {
      this.#onFailure(name, error instanceof Error ? error.message : String(error));
    }
    return undefined;
  }
}

function positive(value: number | undefined): number {
  return value !== undefined && Number.isFinite(value) && value > 0 ? value : 1;
}
