import type { InFlight } from './in-flight.ts';
import type { Metric } from './metric.ts';
import { Rate } from './rate.ts';

/** Requests finished per second. Weight 0 by default. */
export function requestsMetric(inFlight: InFlight, nowMs: () => number): Metric {
  const rate = new Rate(() => inFlight.finished, nowMs);
  return { name: 'requests', scale: { capacity: 1_000, weight: 0, unit: '/s' }, read: () => rate.sample() };
}
