/** Counters of one engine since its start. */
import { LATENCY_BUCKETS_MS, REFUSALS, type Refusal, type WorkerCounters } from '@rollcall/feed';

/** All counters of a worker, without its logs. */
export type EngineCounters = Omit<WorkerCounters, 'logLinesLost' | 'accessLogLinesLost'>;

/** Counters of one engine: the mutable form of the counters in the feed. */
export type Counters = {
  -readonly [K in keyof Omit<
    EngineCounters,
    'statusClasses' | 'latencyBuckets' | 'loopDelayMs' | 'refusals' | 'parked' | 'oldestParkedMs'
  >]: number;
} & {
  readonly statusClasses: Float64Array;
  readonly latencyBuckets: Float64Array;
  readonly refusals: Record<Refusal, number>;
};

/** Counters before the first connection. */
export function newCounters(): Counters {
  return {
    requests: 0,
    inFlight: 0,
    connections: 0,
    accepted: 0,
    bytesIn: 0,
    bytesOut: 0,
    retries: 0,
    failovers: 0,
    refusals: Object.fromEntries(REFUSALS.map((refusal) => [refusal, 0])) as Record<Refusal, number>,
    proxyHeaderRefusals: 0,
    clientAborts: 0,
    unavailable: 0,
    unknownRoutes: 0,
    moved: 0,
    statusClasses: new Float64Array(5),
    latencyBuckets: new Float64Array(LATENCY_BUCKETS_MS.length + 1),
    latencySumMs: 0,
  };
}

/** Adds one latency to the histogram whose upper bounds are `LATENCY_BUCKETS_MS`. */
export function countLatency(counters: Counters, bounds: typeof LATENCY_BUCKETS_MS, latencyMs: number): void {
  let at = 0;
  while (at < bounds.length && latencyMs > bounds[at]!) at++;
  counters.latencyBuckets[at]! += 1;
  counters.latencySumMs += latencyMs;
}

/** Counts one answer by the first digit of its status. */
export function countStatus(classes: Float64Array, status: number): void {
  const at = Math.floor(status / 100) - 1;
  if (at >= 0 && at < classes.length) classes[at]! += 1;
}
