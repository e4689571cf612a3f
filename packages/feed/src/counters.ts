/** Counters that workers report per balancer and per node, and the bounds of their latency histograms. */
import type { BalancerName } from '@rollcall/protocol';

/** Upper bounds of all latency histograms, milliseconds. */
export const LATENCY_BOUNDS_MS: readonly number[] = [
  0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1_000, 1_500, 2_000, 3_000, 5_000,
  7_000, 10_000, 15_000, 20_000, 30_000, 60_000,
];

/** Index of the bucket that counts `latencyMs`: the first whose bound is not smaller, or the one after the last bound. */
export function latencyBucket(latencyMs: number): number {
  let at = 0;
  while (at < LATENCY_BOUNDS_MS.length && latencyMs > LATENCY_BOUNDS_MS[at]!) at++;
  return at;
}

/**
 * The `quantile` (0–1) of a latency histogram, milliseconds: interpolated linearly within its bucket, as in Prometheus. Latencies above
 * the last bound count as that bound. `undefined` without a latency.
 */
export function latencyQuantileMs(buckets: readonly number[], quantile: number): number | undefined {
  let total = 0;
  for (const count of buckets) total += count;
  if (total === 0) return undefined;
  const rank = Math.min(1, Math.max(0, quantile)) * total;
  let before = 0;
  for (const [i, count] of buckets.entries()) {
    if (count > 0 && before + count >= rank) {
      const low = i === 0 ? 0 : LATENCY_BOUNDS_MS[i - 1]!;
      const high = LATENCY_BOUNDS_MS[i] ?? low;
      return low + (high - low) * Math.max(0, (rank - before) / count);
    }
    before += count;
  }
  return LATENCY_BOUNDS_MS.at(-1);
}

/** Causes of a retry: the failure of the attempt before it. `BalancerCounters.retries` has this order. */
export const RETRY_REASONS = [
  /** The connect was refused or reset. */
  'refused',
  /** The address may not be connected to. */
  'not-allowed',
  /** No connection in time. */
  'connect-timeout',
  /** No route, no such name, or no TLS connection. */
  'unreachable',
  /** A new connection was closed without an octet. */
  'closed-unused',
  /** The connection closed before the response head. */
  'closed',
  /** The node was given up while the request waited for its answer. */
  'lost',
] as const;

export type RetryReason = (typeof RETRY_REASONS)[number];

/**
 * How the node of a request was found. `BalancerCounters.stickyResults` has this order. `new`: a new session. `none`: the request has no
 * session. `sticky`: the node of the session. `moved`: another node, permanently.
 */
export const STICKY_RESULTS = ['new', 'none', 'sticky', 'moved'] as const;

export type StickyResult = (typeof STICKY_RESULTS)[number];

/** Answers by class, and their latency. Totals since the worker started. */
export interface AnswerCounters {
  /** 1xx, 2xx, 3xx, 4xx, 5xx. */
  readonly statusClasses: readonly number[];
  /**
   * Times from sending a request to the head of its response: counts by `LATENCY_BOUNDS_MS`, the last for longer times. Zeros at the end may
   * be missing.
   */
  readonly latencyBuckets: readonly number[];
  /** Sum of all latencies in the buckets, milliseconds. */
  readonly latencySumMs: number;
}

/** One worker's counts of one balancer: totals since the worker started. A request counts for the balancer of its context. */
export interface BalancerCounters {
  readonly name: BalancerName;
  readonly requests: number;
  /** Classes of all answers to clients, including answers of the proxy itself; latency of the answers of nodes. */
  readonly answers: AnswerCounters;
  /** Attempts that failed because of a node. */
  readonly failures: number;
  /** In the order of `RETRY_REASONS`. */
  readonly retries: readonly number[];
  /** Sessions moved to another node, because theirs was lost. */
  readonly failovers: number;
  /** Sessions that have left a hot node. */
  readonly moved: number;
  /** Requests without an eligible node. */
  readonly unavailable: number;
  /** Requests that a node has answered, in the order of `STICKY_RESULTS`. */
  readonly stickyResults: readonly number[];
  readonly bytesToNode: number;
  readonly bytesFromNode: number;
}
