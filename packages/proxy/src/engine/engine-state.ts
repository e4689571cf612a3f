/** What all connections of one engine share. */
import type { LATENCY_BUCKETS_MS, Refusal, WorkerCounters } from '@rollcall/protocol';
import type { ConnectGuard } from '../connect-guard.ts';
import type { Router, UpstreamNode } from '../routing.ts';
import type { NodeTls } from '../tls/node-tls.ts';
import type { AccessEntry } from './access-entry.ts';
import type { Admission } from './admission.ts';
import type { BodyBlocks } from './body-blocks.ts';
import type { ClientConnection } from './client-connection.ts';
import type { TrustedMatcher } from './client-identity.ts';
import type { DeadlineSweep } from './deadline-sweep.ts';
import type { DirectReads } from './direct-read.ts';
import type { DirectWrites } from './direct-write.ts';
import type { Exchange } from './exchange.ts';
import type { EngineLimits } from './limits.ts';
import type { NodeConnection } from './node-connection.ts';
import type { Outbox } from './outbox.ts';
import type { Parking } from './parking.ts';
import type { ReadBuffer } from './read-buffer.ts';
import type { RetryBudget } from './retry.ts';
import { UpstreamPool } from './upstream-pool.ts';

/** All that a worker counts, without its logs. */
export type EngineCounters = Omit<WorkerCounters, 'logLinesLost' | 'accessLogLinesLost'>;

/** Totals of one engine; the mutable twin of what the feed carries. */
export type Totals = {
  -readonly [K in keyof Omit<
    EngineCounters,
    'statusClasses' | 'latencyBuckets' | 'loopDelayMs' | 'refusals' | 'parked' | 'oldestParkedMs'
  >]: number;
} & {
  readonly statusClasses: Float64Array;
  readonly latencyBuckets: Float64Array;
  readonly refusals: Record<Refusal, number>;
};

/** As much of a logger as the engine needs; pino's fits. */
export interface EngineLog {
  debug(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface EngineState {
  readonly router: Router;
  readonly limits: EngineLimits;
  readonly sweep: DeadlineSweep;
  readonly totals: Totals;
  readonly budget: RetryBudget;
  readonly admission: Admission;
  readonly clients: Set<ClientConnection>;
  /** Those that have not sent a whole request head yet, the oldest first. */
  readonly strangers: Set<ClientConnection>;
  /** Requests that wait for a node. */
  readonly parking: Parking<Exchange>;
  readonly pools: Map<UpstreamNode, UpstreamPool<NodeConnection>>;
  /** What plain connections read into; valid until the next read of any of them. */
  readonly readBuffer: ReadBuffer;
  /** Accepted sockets can be made to read into `readBuffer`. */
  canRewrap: boolean;
  /** What was read can be heard of straight from a socket's handle. */
  reads: DirectReads | undefined;
  readonly blocks: BodyBlocks;
  readonly outbox: Outbox;
  /** Texts can be written straight to a socket's handle. */
  direct: DirectWrites | undefined;
  readonly nodeTls: NodeTls;
  /** Without it every node may be connected to. */
  readonly guard: ConnectGuard<UpstreamNode> | undefined;
  readonly now: () => number;
  readonly log: EngineLog | undefined;
  readonly onAccess: ((entry: AccessEntry) => void) | undefined;
  /** Path answered by the proxy itself; `''` for none. */
  readonly healthPath: string;
  /** This proxy in `Via`: random, so that a request that comes back is recognised. */
  readonly viaName: string;
  /** Begins every request id made here. */
  readonly requestIdPrefix: string;
  readonly isTrusted: TrustedMatcher;
  /** Shown with a 503 to people on this machine. */
  readonly unavailableHint: string;
  /** HTML of the operator's own pages by status, latin1 text standing for octets. */
  readonly errorPages: ReadonlyMap<number, string>;
  /** Answers say that they are the last on their connection. */
  isClosing: boolean;
  /** While closing: connections between two requests are closed, without waiting for one more request. */
  closesIdle: boolean;
  requestNumber: number;
  /** A client connection has gone that may have been the last. */
  onNoClients: () => void;
}

/** The pool of idle connections to `node`, made on first use. */
export function poolOf({ pools, limits }: EngineState, node: UpstreamNode): UpstreamPool<NodeConnection> {
  let pool = pools.get(node);
  if (pool === undefined) {
    pool = new UpstreamPool(limits.maxIdlePerNode);
    pools.set(node, pool);
  }
  return pool;
}

/** Adds one latency to the histogram whose upper bounds are `LATENCY_BUCKETS_MS`. */
export function countLatency(totals: Totals, bounds: typeof LATENCY_BUCKETS_MS, latencyMs: number): void {
  let at = 0;
  while (at < bounds.length && latencyMs > bounds[at]!) at++;
  totals.latencyBuckets[at]! += 1;
  totals.latencySumMs += latencyMs;
}

/** Counts one answer by the first digit of its status. */
export function countStatus(classes: Float64Array, status: number): void {
  const at = Math.floor(status / 100) - 1;
  if (at >= 0 && at < classes.length) classes[at]! += 1;
}
