import type { MetricScale } from '@rollcall/protocol';

/** Largest absolute value that the protocol allows. */
export const MAX_VALUE = 1e15;

/** Options of a metric: its influence on the load. */
export interface MetricOptions {
  /** Value at load 1, above 0, default 1. */
  readonly capacity?: number;
  /** Weight in the weighted mean, from 0, default 1. A metric with weight 0 is shown, and is not part of the load. */
  readonly weight?: number;
}

/** One measured number of a node. Each built-in metric has its own file in this folder. */
export interface Metric {
  /** `[A-Za-z0-9_-]{1,64}`. */
  readonly name: string;
  readonly scale: MetricScale;
  /** Returns the present value in the unit of the scale; `undefined` while unknown. A metric that throws is left out. */
  read(): number | undefined;
}

/** The part of `value` in the load, 0 … 1. */
export function partOf({ capacity, from = 0, isSoft = false }: MetricScale, value: number): number {
  if (!(value > 0)) return 0;
  if (isSoft) return value === Number.POSITIVE_INFINITY ? 1 : value / (value + capacity);
  return Math.min(1, Math.max(0, (value / capacity - from) / (1 - from)));
}

/** A metric of the application: value / capacity with a weight, as in mod_cluster. */
export function applicationMetric(name: string, options: MetricOptions, read: () => number): Metric {
  return { name, scale: withOptions({ capacity: 1, weight: 1 }, options), read };
}

/** `scale` with the options of the application. Invalid options are ignored. */
export function withOptions(scale: MetricScale, { capacity, weight }: MetricOptions): MetricScale {
  return {
    ...scale,
    ...(isNumber(capacity) && capacity > 0 && capacity <= MAX_VALUE ? { capacity } : {}),
    ...(isNumber(weight) && weight >= 0 && weight <= MAX_VALUE ? { weight } : {}),
  };
}

function isNumber(value: unknown): value is number {
  return Number.isFinite(value);
}
