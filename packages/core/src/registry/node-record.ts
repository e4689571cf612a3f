/**
 * What the registry knows of one node. `NodeView` is what everybody may read; only files of this folder see it as the
 * `NodeRecord` it is, and change it.
 */
import type {
  ContextPath,
  Fault,
  GoneCause,
  Liveness,
  MetricScale,
  NodeId,
  NodeReach,
  NodeRegistration,
  ProbeKind,
  Status,
} from '@rollcall/protocol';
import type { ConnectionId, QuotaStanding } from './commands.ts';
import type { Drain } from './drain.ts';
import { NO_RETURNS, type Returns } from './flapping.ts';
import { NodeHistory } from './load-history.ts';
import { mostRestrictive } from './node-status.ts';

/** `agent`: heard by its heartbeats. `lease`: ends unless the registration is repeated. `static`: stays until it is removed. Both last are heard while they answer. */
export type NodeKind = 'agent' | 'lease' | 'static';

/** A registration with the two fields that tell one process from another. */
export type AcceptedRegistration = NodeRegistration & { readonly incarnation: number; readonly instance: string };

/** The start time that holds for a process in place of what it announces. */
export interface SettledStart {
  readonly instance: string;
  readonly incarnation: number;
}

/** What operator or node want of it, since when, and until when. Instants are monotonic milliseconds. */
export interface Wish {
  readonly status: Status;
  readonly reason: string | undefined;
  readonly by: string | undefined;
  readonly atMs: number;
  /** When a drain or stop ends whatever happens. */
  readonly deadlineAtMs: number | undefined;
  /** When the wish itself ends and `enabled` returns. */
  readonly untilMs: number | undefined;
}

/** Operator's overrides of what the node registered; `undefined` leaves the node's own. */
export interface Overrides {
  readonly weight: number | undefined;
  readonly standby: boolean | undefined;
  readonly redirectTo: NodeId | undefined;
}

/** Why a node that was up is suspect. */
export type SuspectReason = 'silent' | 'disconnected' | 'unresponsive' | 'restarted';

/** Why a node is not up, or not yet. */
export type LivenessReason = SuspectReason | 'unreachable' | 'unprobed' | 'blocked' | 'expected' | GoneCause;

export interface NodeView {
  readonly id: NodeId;
  /** Small integer, never reused in one life of the coordinator. */
  readonly index: number;
  /** Name of the token the id belongs to. */
  readonly owner: string;
  /** Where its address may point, by who registered it; `undefined` when a record of an earlier release does not say. */
  readonly reach: NodeReach | undefined;
  /** Whose quotas it counts for. */
  readonly standing: QuotaStanding;
  readonly kind: NodeKind;
  /** Time without any sign of life after which this node is given up; for kind `lease` the term of one registration. */
  readonly leaseMs: number;
  readonly registration: AcceptedRegistration;
  /** The connection that speaks for it, or last did; 0 for one restored from the store. */
  readonly connection: ConnectionId;
  /** False once that connection has closed; always false for kinds without one. */
  readonly isConnected: boolean;
  readonly liveness: Liveness;
  /** `undefined` while up. */
  readonly livenessReason: LivenessReason | undefined;
  /** What the last bad probe said. */
  readonly livenessDetail: string | undefined;
  /** Wants a probe's good result before it is up. */
  readonly awaitsProbe: boolean;
  /** How workers probe its port; `options` until the coordinator has learned otherwise. */
  readonly probe: ProbeKind;
  /** Sessions may name its route: it has been in the feed at some time, or has the route of a gone node that had been. */
  readonly isKnown: boolean;
  /** Largest `seq` of this connection; -1 before the first. */
  readonly seq: number;
  /** Agents: last heartbeat or registration. Members without one: last answer. */
  readonly heardAtMs: number;
  /** Last registration, repeats included: the term of kind `lease` runs from it. */
  readonly renewedAtMs: number;
  /** Last sign of life by either witness: heartbeat, registration, or a worker's report that it answers. */
  readonly signAtMs: number;
  /** The lease is over, and the node stays because it is the last of a context. */
  readonly isHeld: boolean;
  /** When that ended last, because another node became live: the lease restarts there. `undefined` when it never was. */
  readonly heldUntilMs: number | undefined;
  /** False: the node says that new work should go elsewhere. */
  readonly isReady: boolean;
  /** Acceptance of the process that speaks now. */
  readonly registeredAtMs: number;
  /** Instant since which its present process is in the feed; `undefined` when it has never been. */
  readonly inFeedSinceMs: number | undefined;
  readonly goneAtMs: number | undefined;
  /** Cause of its last absence; kept until it is in the feed again. */
  readonly goneCause: GoneCause | undefined;
  /** The next time it is up counts as a return. */
  readonly isReturning: boolean;
  readonly returns: Returns;
  /** Instant since which it has been up without suspicion; meaningful while up. */
  readonly upSinceMs: number;
  /** Starts of its processes that were set by the coordinator, oldest first; at most four. */
  readonly settledStarts: readonly SettledStart[];
  readonly operatorWish: Wish;
  readonly nodeWish: Wish;
  /** The node's wishes about single contexts; never `enabled`. */
  readonly contextStatus: ReadonlyMap<ContextPath, Status>;
  readonly overrides: Overrides;
  /** Largest weight of its own that counts; `undefined` while what it announces is not beyond the bound. */
  readonly mostWeight: number | undefined;
  readonly operatorDrain: Drain | undefined;
  readonly nodeDrain: Drain | undefined;
  /** 0 idle … 1 full, not smoothed; `undefined` when never reported by this process. */
  readonly load: number | undefined;
  readonly sessions: number | undefined;
  readonly inFlight: number | undefined;
  readonly serviceMs: number | undefined;
  readonly metrics: Readonly<Record<string, number>>;
  /** What was measured for them, in the units of their scales. */
  readonly values: Readonly<Record<string, number>>;
  /** How a value becomes a part of the load, as last told. */
  readonly scales: Readonly<Record<string, MetricScale>>;
  /** Load and metrics over time. */
  readonly history: NodeHistory;
  /** Instant of the last report with numbers; `undefined` before the first. */
  readonly toldAtMs: number | undefined;
  readonly warnings: readonly Fault[];
}

export type NodeRecord = { -readonly [Key in keyof NodeView]: NodeView[Key] };

/** What a record cannot do without. */
export type RecordSeed = Pick<
  NodeView,
  | 'index'
  | 'owner'
  | 'reach'
  | 'standing'
  | 'kind'
  | 'leaseMs'
  | 'registration'
  | 'connection'
  | 'liveness'
  | 'livenessReason'
>;

/** A record of which nothing is known but `seed`, as of `nowMs`. */
export function freshRecord(seed: RecordSeed, nowMs: number): NodeRecord {
  return {
    ...seed,
    id: seed.registration.id,
    isConnected: false,
    livenessDetail: undefined,
    awaitsProbe: true,
    probe: 'options',
    isKnown: false,
    seq: -1,
    heardAtMs: nowMs,
    renewedAtMs: nowMs,
    signAtMs: nowMs,
    isHeld: false,
    heldUntilMs: undefined,
    isReady: true,
    registeredAtMs: nowMs,
    inFeedSinceMs: undefined,
    goneAtMs: undefined,
    goneCause: undefined,
    isReturning: false,
    returns: NO_RETURNS,
    upSinceMs: nowMs,
    settledStarts: [],
    operatorWish: noWish(nowMs),
    nodeWish: noWish(nowMs),
    contextStatus: new Map(),
    overrides: NO_OVERRIDES,
    mostWeight: undefined,
    operatorDrain: undefined,
    nodeDrain: undefined,
    load: undefined,
    sessions: undefined,
    inFlight: undefined,
    serviceMs: undefined,
    metrics: {},
    values: {},
    scales: {},
    history: new NodeHistory(),
    toldAtMs: undefined,
    warnings: [],
  };
}

/** Nobody has asked for anything. */
export function noWish(atMs: number): Wish {
  return { status: 'enabled', reason: undefined, by: undefined, atMs, deadlineAtMs: undefined, untilMs: undefined };
}

export const NO_OVERRIDES: Overrides = { weight: undefined, standby: undefined, redirectTo: undefined };

/** The more restrictive of operator's and node's wish. */
export function effectiveStatus(node: NodeView): Status {
  return mostRestrictive(node.operatorWish.status, node.nodeWish.status);
}

/** Status of one context of the node: the most restrictive of operator's, node's and the context's own. */
export function contextStatus(node: NodeView, path: ContextPath): Status {
  return mostRestrictive(effectiveStatus(node), node.contextStatus.get(path) ?? 'enabled');
}

/** The operator's weight, or what the node announces up to its bound. */
export function weightOf(node: NodeView): number {
  return node.overrides.weight ?? Math.min(node.registration.weight, node.mostWeight ?? Number.POSITIVE_INFINITY);
}

export function isStandby(node: NodeView): boolean {
  return node.overrides.standby ?? false;
}

/** Whether new sessions may go to the node before others that may not have them: it is ready, and not held down. */
export function takesNew({ isReady, returns }: NodeView): boolean {
  return isReady && returns.flapping?.heldUntilMs === undefined;
}
