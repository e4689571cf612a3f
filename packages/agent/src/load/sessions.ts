import type { Metric } from './metric.ts';

/** Active sessions as the application counts them; only shown unless it is given a capacity and a weight. */
export function sessionsMetric(count: () => number | undefined): Metric {
  return { name: 'sessions', scale: { capacity: 1_000, weight: 0 }, read: count };
}
