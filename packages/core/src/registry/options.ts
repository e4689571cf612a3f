/** Every bound and interval of the registry, in one place. All durations are milliseconds on the coordinator's monotonic clock. */
import { DEFAULT_HEARTBEAT_MS, DEFAULT_LEASE_MS, DEFAULT_SUSPECT_MS } from '@rollcall/protocol';

export interface RegistryOptions {
  /** Heartbeat interval of agents. Default 1,000. Larger costs less and reports loads later. */
  readonly heartbeatMs: number;
  /** Silence after which a node is suspect. Default 3,000. Larger detects later but flaps less; at least two heartbeats. */
  readonly suspectMs: number;
  /** Time without any sign of life after which a node is given up. Default 20,000; larger than `suspectMs`. */
  readonly leaseMs: number;
  /** How long sessions wait, after a start, for nodes that are remembered but not back. Default 10,000. */
  readonly learningMs: number;
  /** How long after a start the registry reports that missing nodes and workers may only be late. Default 15,000. */
  readonly settleMs: number;
  /** How long a gone node, its route and the status that an operator requested are remembered. Default 86,400,000 (24 h). */
  readonly rememberMs: number;
  /** How long a worker that has left holds up the end of drains, because it may still be serving. Default 15,000. */
  readonly workerGraceMs: number;
  /** Idle time after which a session counts as inactive, unless its balancer has its own. Default 1,800,000 (30 min). */
  readonly sessionIdleMs: number;
  /** Secret 32-bit seed of hash tables with text of clients. Default 0, for tests. */
  readonly hashSeed: number;
  /** Returns within `flappingWindowMs` that make a node flapping. Default 3. */
  readonly flappingReturns: number;
  /** Time in which returns are counted, and time without suspicion after which a node is no longer flapping. Default 600,000 (10 min). */
  readonly flappingWindowMs: number;
  /** A start that lies further in the future of the coordinator's clock is replaced by that clock. Default 300,000 (5 min). */
  readonly clockAheadMs: number;
  /** Nodes that are present at once, and as many again that are gone but remembered. Default 10,000. */
  readonly maxNodes: number;
  /** The same for the nodes of one token name. Default 1,000, or `maxNodes` where that is less. */
  readonly maxNodesPerOwner: number;
  /** Nodes of all peers without a token that are present at once. Default 100. */
  readonly maxTokenlessNodes: number;
  /** Balancers known at once. Default 1,000. */
  readonly maxBalancers: number;
  /** Balancers known at once that one token has made: that were not known when a node of it registered. Default 50. */
  readonly maxBalancersPerOwner: number;
  /** Distinct hosts of all nodes of one balancer. Default 256. */
  readonly maxHosts: number;
  /** Distinct contexts of all nodes of one balancer; a path on two hosts is two. Default 1,024. */
  readonly maxContexts: number;
  /** A balancer without nodes and without settings of its own is forgotten after this time. Default 3,600,000 (1 h). */
  readonly emptyBalancerMs: number;
  /** Requests and settings of operators are shared with other coordinators. Default false. */
  readonly isShared: boolean;
  /** Workers known at once. Default 1,000. */
  readonly maxWorkers: number;
  /** Random name of the cluster, hexadecimal, if it is known before the store answers. Default: not known. */
  readonly clusterId?: string | undefined;
  /** Instant the coordinator started. Default: the instant of the first command. */
  readonly startedAtMs?: number;
}

/** `options` with every default filled in. */
export function withDefaults(options: Partial<RegistryOptions>): RegistryOptions {
  const maxNodes = options.maxNodes ?? 10_000;
  return {
    heartbeatMs: DEFAULT_HEARTBEAT_MS,
    suspectMs: DEFAULT_SUSPECT_MS,
    leaseMs: DEFAULT_LEASE_MS,
    learningMs: 10_000,
    settleMs: 15_000,
    rememberMs: 86_400_000,
    workerGraceMs: 15_000,
    sessionIdleMs: 1_800_000,
    flappingReturns: 3,
    flappingWindowMs: 600_000,
    clockAheadMs: 300_000,
    hashSeed: 0,
    maxNodes,
    maxNodesPerOwner: Math.min(maxNodes, 1_000),
    maxTokenlessNodes: 100,
    maxBalancers: 1_000,
    maxBalancersPerOwner: 50,
    maxHosts: 256,
    maxContexts: 1_024,
    emptyBalancerMs: 3_600_000,
    maxWorkers: 1_000,
    isShared: false,
    ...options,
  };
}
