import type { Metric } from './metric.ts';

/** Active sessions, counted by the application. Weight 0 by default. */
export function sessionsMetric(count: () => number | undefined): Metric {
  return { name: 'sessions', scale: { capacity: 1_000, weight: 0 }, read: count };
}
