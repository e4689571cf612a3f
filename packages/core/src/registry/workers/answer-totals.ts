/** Sums of the answers of a node or a balancer over all workers. */
import type { AnswerCounters } from '@rollcall/feed';

/** The mutable form of `AnswerCounters`. */
export interface AnswerTotals {
  readonly statusClasses: number[];
  /** May lack zeros at the end. */
  readonly latencyBuckets: number[];
  latencySumMs: number;
}

export function noAnswers(): AnswerTotals {
  return { statusClasses: [0, 0, 0, 0, 0], latencyBuckets: [], latencySumMs: 0 };
}

/** What a counter has counted since `before`; 0 if it fell. */
export function increase(now: number, before = 0): number {
  return Math.max(0, now - before);
}

/** Adds what `report` has more than `before`. */
export function addAnswers(sum: AnswerTotals, report: AnswerCounters, before: AnswerCounters | undefined): void {
  addCounts(sum.statusClasses, report.statusClasses, before?.statusClasses);
  addCounts(sum.latencyBuckets, report.latencyBuckets, before?.latencyBuckets);
  sum.latencySumMs += increase(report.latencySumMs, before?.latencySumMs);
}

/** The same for a list of counts. */
export function addCounts(sums: number[], counts: readonly number[], before: readonly number[] | undefined): void {
  for (const [i, count] of counts.entries()) sums[i] = (sums[i] ?? 0) + increase(count, before?.[i]);
}
