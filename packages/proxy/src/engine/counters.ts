/** Counters of one engine since its start, and of the balancers and nodes that it sends requests to. Changed in place. */
import {
  LATENCY_BOUNDS_MS,
  latencyBucket,
  REFUSALS,
  RETRY_REASONS,
  type Refusal,
  type RetryReason,
  STICKY_RESULTS,
  type StickyResult,
  type WorkerCounters,
} from '@rollcall/feed';

/** All counters of a worker, without its logs. */
export type EngineCounters = Omit<WorkerCounters, 'logLinesLost' | 'accessLogLinesLost'>;

/** Counters of one engine: the mutable form of the counters in the feed. */
export type Counters = {
  -readonly [K in keyof Omit<
    EngineCounters,
    'statusClasses' | 'loopDelayMs' | 'refusals' | 'parked' | 'oldestParkedMs'
  >]: number;
} & {
  readonly statusClasses: Float64Array;
  readonly refusals: Record<Refusal, number>;
};

/** The mutable form of `AnswerCounters`. */
export interface LiveAnswers {
  readonly statusClasses: Float64Array;
  readonly latencyBuckets: Float64Array;
  latencySumMs: number;
}

/** The mutable form of `BalancerCounters`. */
export interface LiveBalancerCounters {
  requests: number;
  readonly answers: LiveAnswers;
  failures: number;
  readonly retries: Record<RetryReason, number>;
  failovers: number;
  moved: number;
  unavailable: number;
  readonly stickyResults: Record<StickyResult, number>;
  bytesToNode: number;
  bytesFromNode: number;
}

/** Counters of one node on this worker. */
export interface UpstreamCounters {
  /** Counters of its present balancer. */
  balancer: LiveBalancerCounters;
  requests: number;
  failures: number;
  serverErrors: number;
  newSessions: number;
  tunnels: number;
  bytesToNode: number;
  bytesFromNode: number;
  /** Requests that wait for the node now. */
  parked: number;
  readonly answers: LiveAnswers;
}

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
    refusals: zeros(REFUSALS),
    proxyHeaderRefusals: 0,
    clientAborts: 0,
    unavailable: 0,
    unknownRoutes: 0,
    moved: 0,
    statusClasses: new Float64Array(5),
  };
}

/** Counters of a new balancer. */
export function newBalancerCounters(): LiveBalancerCounters {
  return {
    requests: 0,
    answers: newAnswers(),
    failures: 0,
    retries: zeros(RETRY_REASONS),
    failovers: 0,
    moved: 0,
    unavailable: 0,
    stickyResults: zeros(STICKY_RESULTS),
    bytesToNode: 0,
    bytesFromNode: 0,
  };
}

/** Counters of a new node of a balancer. */
export function newUpstreamCounters(balancer: LiveBalancerCounters = newBalancerCounters()): UpstreamCounters {
  return {
    balancer,
    requests: 0,
    failures: 0,
    serverErrors: 0,
    newSessions: 0,
    tunnels: 0,
    bytesToNode: 0,
    bytesFromNode: 0,
    parked: 0,
    answers: newAnswers(),
  };
}

function newAnswers(): LiveAnswers {
  return {
    statusClasses: new Float64Array(5),
    latencyBuckets: new Float64Array(LATENCY_BOUNDS_MS.length + 1),
    latencySumMs: 0,
  };
}

function zeros<Name extends string>(names: readonly Name[]): Record<Name, number> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>;
}

/** Counts the time to the response head of a node, also for its balancer. */
export function countLatency({ answers, balancer }: UpstreamCounters, latencyMs: number): void {
  const at = latencyBucket(latencyMs);
  answers.latencyBuckets[at]! += 1;
  answers.latencySumMs += latencyMs;
  balancer.answers.latencyBuckets[at]! += 1;
  balancer.answers.latencySumMs += latencyMs;
}

/** Counts one answer by the first digit of its status. */
export function countStatus(classes: Float64Array, status: number): void {
  const at = Math.floor(status / 100) - 1;
  if (at >= 0 && at < classes.length) classes[at]! += 1;
}

/** Counts octets that were sent to a node, also for its balancer. */
export function countToNode(counters: UpstreamCounters, bytes: number): void {
  counters.bytesToNode += bytes;
  counters.balancer.bytesToNode += bytes;
}

/** Counts octets that a node has sent, also for its balancer. */
export function countFromNode(counters: UpstreamCounters, bytes: number): void {
  counters.bytesFromNode += bytes;
  counters.balancer.bytesFromNode += bytes;
}
