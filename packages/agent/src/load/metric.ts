import type { MetricScale } from '@rollcall/protocol';

/** Beyond this, either way from 0, the protocol takes no number. */
export const MAX_VALUE = 1e15;

/** How a number of the application, or one of ours, becomes part of the load. */
export interface MetricOptions {
  /** The value that means full, above 0, default 1. */
  readonly capacity?: number;
  /** Its say in the weighted mean, from 0, default 1; 0 leaves it out of the load, and it is only shown. */
  readonly weight?: number;
}

/** One number that a node measures of itself. Each has a file of its own in this folder. */
export interface Metric {
  /** `[A-Za-z0-9_-]{1,64}`. */
  readonly name: string;
  readonly scale: MetricScale;
  /** The present value in the scale's unit; `undefined` while it cannot be told. What it throws leaves it out. */
  read(): number | undefined;
}

/** Part of the load that `value` is, 0 … 1. */
export function partOf({ capacity, from = 0, isSoft = false }: MetricScale, value: number): number {
  if (!(value > 0)) return 0;
  if (isSoft) return value === Number.POSITIVE_INFINITY ? 1 : value / (value + capacity);
  return Math.min(1, Math.max(0, (value / capacity - from) / (1 - from)));
}

/** A metric of the application, as mod_cluster has them: its share of its capacity, by weight. */
export function applicationMetric(name: string, options: MetricOptions, read: () => number): Metric {
  return { name, scale: withOptions({ capacity: 1, weight: 1 }, options), read };
}

/** `scale` as an application wants it; what is no number, or not a possible one, changes nothing. */
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
