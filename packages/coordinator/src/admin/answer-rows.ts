/** Rows of `AnswerTotals`, of a node or a balancer. */
import type { AnswerTotals } from '@rollcall/core';
import { LATENCY_BOUNDS_MS } from '@rollcall/feed';
import type { AddRow } from './sliced-metrics.ts';

type Answers = Readonly<AnswerTotals>;

/** One row per status class. Interim and switching answers are rare: their row is absent without one. */
export function addClasses({ statusClasses }: Answers, add: AddRow): void {
  for (const [i, count] of statusClasses.entries()) if (i > 0 || count > 0) add(count, `,class="${i + 1}xx"`);
}

/** Number and sum of the latencies. */
export function addLatencySums({ latencyBuckets, latencySumMs }: Answers, add: AddRow): void {
  let total = 0;
  for (const count of latencyBuckets) total += count ?? 0;
  add(seconds(latencySumMs), '', '_sum');
  add(total, '', '_count');
}

/** All buckets of the histogram. */
export function addLatencyBuckets(answers: Answers, add: AddRow): void {
  let total = 0;
  for (const [i, boundMs] of LATENCY_BOUNDS_MS.entries()) {
    total += answers.latencyBuckets[i] ?? 0;
    add(total, `,le="${boundMs / 1_000}"`, '_bucket');
  }
  add(total + (answers.latencyBuckets[LATENCY_BOUNDS_MS.length] ?? 0), ',le="+Inf"', '_bucket');
  addLatencySums(answers, add);
}

/** Without the digits that are only the error of the addition. */
function seconds(ms: number): number {
  return Number((ms / 1_000).toFixed(6));
}
