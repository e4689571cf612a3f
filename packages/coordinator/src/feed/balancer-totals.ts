/** Counters of the balancers over all workers, ended workers included. */
import { type AnswerTotals, addAnswers, addCounts, increase, noAnswers, ReportedTotals } from '@rollcall/core';
import { type BalancerCounters, RETRY_REASONS, STICKY_RESULTS } from '@rollcall/feed';
import type { BalancerName } from '@rollcall/protocol';

/** Balancers with counters; beyond it the one that has not been counted for the longest time is dropped. */
const MAX_BALANCERS = 10_000;

/** Counts of one balancer since the start of the coordinator. They never fall. Changed in place. */
export type BalancerTotals = {
  -readonly [K in keyof Omit<BalancerCounters, 'name' | 'answers' | 'retries' | 'stickyResults'>]: number;
} & {
  readonly answers: AnswerTotals;
  /** In the order of `RETRY_REASONS`. */
  readonly retries: number[];
  /** In the order of `STICKY_RESULTS`. */
  readonly stickyResults: number[];
};

/** Counters of a balancer without requests. */
export function noBalancerTotals(): BalancerTotals {
  return {
    requests: 0,
    answers: noAnswers(),
    failures: 0,
    retries: RETRY_REASONS.map(() => 0),
    failovers: 0,
    moved: 0,
    unavailable: 0,
    stickyResults: STICKY_RESULTS.map(() => 0),
    bytesToNode: 0,
    bytesFromNode: 0,
  };
}

export function balancerTotals(maxWorkers: number): ReportedTotals<BalancerName, BalancerCounters, BalancerTotals> {
  return new ReportedTotals(
    {
      key: ({ name }) => name,
      zero: noBalancerTotals,
      hasFallen: (report, before) => report.requests < before.requests,
      add(sum, report, before) {
        sum.requests += increase(report.requests, before?.requests);
        sum.failures += increase(report.failures, before?.failures);
        sum.failovers += increase(report.failovers, before?.failovers);
        sum.moved += increase(report.moved, before?.moved);
        sum.unavailable += increase(report.unavailable, before?.unavailable);
        sum.bytesToNode += increase(report.bytesToNode, before?.bytesToNode);
        sum.bytesFromNode += increase(report.bytesFromNode, before?.bytesFromNode);
        addCounts(sum.retries, report.retries, before?.retries);
        addCounts(sum.stickyResults, report.stickyResults, before?.stickyResults);
        addAnswers(sum.answers, report.answers, before?.answers);
      },
    },
    { maxWorkers, maxRows: MAX_BALANCERS },
  );
}
