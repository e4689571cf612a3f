/**
 * The metrics of a node: their values, and the load combined from them.
 *
 *     load = max(each limit, weighted mean of all others)
 *
 * A limit is a resource that can be exhausted: the node is full then, whatever else is free. The other metrics are combined
 * as in mod_cluster, Σ(weight · value / capacity) / Σ weight. With `isMean` the limits are part of this mean.
 */
import type { HeartbeatMessage, MetricScale } from '@rollcall/protocol';
import { settled } from '../settled.ts';
import { MAX_VALUE, type Metric, partOf } from './metric.ts';

/** Maximum number of metrics of one node in a heartbeat. */
export const MAX_METRICS = 32;

/** Parts and values of the last sample, as sent in heartbeats. */
export type MetricReport = Required<Pick<HeartbeatMessage, 'metrics' | 'values'>>;

export class MetricSet {
  readonly #metrics = new Map<string, Metric>();
  readonly #isMean: boolean;
  readonly #onFailure: (name: string, reason: string) => void;
  /** Metrics whose failure was reported. */
  readonly #failed = new Set<string>();
  #parts: Record<string, number> = {};
  #values: Record<string, number> = {};
  #load = 0;
  #areScalesNew = true;

  /** `onFailure` is called once for each metric that throws or returns no number. */
  constructor(
    onFailure: (name: string, reason: string) => void,
    { isMean = false }: { readonly isMean?: boolean } = {},
  ) {
    this.#onFailure = onFailure;
    this.#isMean = isMean;
  }

  get size(): number {
    return this.#metrics.size;
  }

  /** The combined load at the last sample, 0 idle … 1 full. */
  get load(): number {
    return this.#load;
  }

  /** Adds a metric, or replaces the metric of this name. */
  add(metric: Metric): void {
    this.#metrics.set(metric.name, metric);
    this.#failed.delete(metric.name);
    this.#areScalesNew = true;
  }

  has(name: string): boolean {
    return this.#metrics.has(name);
  }

  /** Reads all metrics and returns the load. A metric that fails is left out; the others are read. */
  sample(): number {
    const parts: Record<string, number> = {};
    const values: Record<string, number> = {};
    let [limit, sum, weights] = [0, 0, 0];
    for (const metric of this.#metrics.values()) {
      const value = this.#read(metric);
      if (value === undefined) continue;
      const { name, scale } = metric;
      const part = partOf(scale, value);
      parts[name] = rounded(part);
      values[name] = rounded(Math.min(MAX_VALUE, Math.max(-MAX_VALUE, value)));
      if (scale.weight === 0) continue;
      if (scale.isLimit && !this.#isMean) limit = Math.max(limit, part);
      else {
        sum += scale.weight * part;
        weights += scale.weight;
      }
    }
    this.#parts = parts;
    this.#values = values;
    this.#load = Math.max(limit, weights > 0 ? sum / weights : 0);
    return this.#load;
  }

  report(): MetricReport {
    return { metrics: this.#parts, values: this.#values };
  }

  /** Makes `newScales` return the scales again, for another receiver. */
  renewScales(): void {
    this.#areScalesNew = true;
  }

  /** The scales if they have changed since the last call, otherwise `undefined`. */
  newScales(): Readonly<Record<string, MetricScale>> | undefined {
    if (!this.#areScalesNew) return undefined;
    this.#areScalesNew = false;
    return Object.fromEntries([...this.#metrics.values()].map(({ name, scale }) => [name, scale]));
  }

  #read(metric: Metric): number | undefined {
    try {
      const value: unknown = settled(metric.read());
      if (value === undefined || Number.isFinite(value)) return value as number | undefined;
      this.#fails(metric.name, `gave ${describe(value)}`);
    } catch (error) {
      this.#fails(metric.name, error instanceof Error ? error.message : describe(error));
    }
    return undefined;
  }

  #fails(name: string, reason: string): void {
    if (this.#failed.has(name)) return;
    this.#failed.add(name);
    this.#onFailure(name, reason);
  }
}

function describe(value: unknown): string {
  return typeof value === 'number' ? String(value) : `no number but ${typeof value}`;
}

/** Rounds to three decimals below 100, otherwise to a whole number. */
export function rounded(value: number): number {
  return Math.abs(value) < 100 ? Math.round(value * 1_000) / 1_000 : Math.round(value);
}
