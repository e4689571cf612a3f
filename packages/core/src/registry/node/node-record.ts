/**
 * The registry's record of one node. `NodeView` is readable by all code. Only files of this folder use it as `NodeRecord`,
 * and change it.
 */
import type { FeedContext, NodeReach, ProbeKind } from '@rollcall/feed';
import type {
  ContextPath,
  FailingCopy,
  Fault,
  GoneCause,
  HostPattern,
  Liveness,
  MetricScale,
  NodeId,
  NodeRegistration,
  Status,
} from '@rollcall/protocol';
import { contextKey, type HostedContext } from '../../contexts/hosted-context.ts';
import type { ConnectionId, QuotaStanding } from '../registrant.ts';
import type { OtherHint } from '../settings-hint.ts';
import type { Drain } from './drain.ts';
import { NO_RETURNS, type Returns } from './flapping.ts';
import { NodeHistory } from './load-history.ts';
import { mostRestrictive } from './node-status.ts';

/**
 * `agent`: sends heartbeats. `lease`: ends unless the registration is repeated. `static`: stays until it is removed. The last two count as
 * current while they answer.
 */
export type NodeKind = 'agent' | 'lease' | 'static';

/** A registration with the two fields that distinguish one process from another. */
export type AcceptedRegistration = NodeRegistration & {
  readonly incarnation: number;
  readonly instance: string;
  readonly hint?: OtherHint;
};

/** The start time that counts for a process instead of the announced one. */
export interface SettledStart {
  readonly instance: string;
  readonly incarnation: number;
}

/**
 * The status that an operator or the node requests, with its start and end. Instants are monotonic milliseconds. `enabled` is the end of a
 * request: it has no reason, requester or limit.
 */
export interface RequestedStatus {
  readonly status: Status;
  readonly reason: string | undefined;
  readonly by: string | undefined;
  readonly atMs: number;
  /** Instant at which a drain or stop ends in any case. */
  readonly deadlineAtMs: number | undefined;
  /** Instant at which the requested status reverts to `enabled`. */
  readonly untilMs: number | undefined;
  /** Another coordinator took the request, and ends it at `untilMs`. This one does so only if that one does not. */
  readonly isElsewhere?: true;
}

/** A node's request for the whole node that is not in force yet. */
export interface HeldStatus {
  readonly status: Exclude<Status, 'enabled'>;
  readonly reason: string | undefined;
  readonly deadlineMs: number | undefined;
  /** Instant at which it is in force in any case. */
  readonly untilMs: number;
}

/** Operator's overrides of registered values; `undefined` leaves the node's own value. */
export interface Overrides {
  readonly weight: number | undefined;
  readonly standby: boolean | undefined;
  readonly redirectTo: NodeId | undefined;
}

/** An operator's note that a missing node is known. */
export interface Acknowledgement {
  readonly by: string;
  readonly reason: string | undefined;
  readonly atMs: number;
}

/** Why a node that was up is suspect. */
export type SuspectReason = 'silent' | 'disconnected' | 'unresponsive' | 'restarted';

/** Why a node is not up, or not yet. */
export type LivenessReason = SuspectReason | 'unreachable' | 'unprobed' | 'blocked' | 'expected' | GoneCause;

export interface NodeView {
  readonly id: NodeId;
  /** Small integer, never reused while the coordinator runs. */
  readonly index: number;
  /** Name of the token the id belongs to. */
  readonly owner: string;
  /** The addresses that it may announce, by its registrant; `undefined` in a record of an earlier release without this field. */
  readonly reach: NodeReach | undefined;
  /** Determines the quotas that it counts for. */
  readonly standing: QuotaStanding;
  readonly kind: NodeKind;
  /** Time without any sign of life after which this node is given up; for kind `lease` the term of one registration. */
  readonly leaseMs: number;
  /** Silence after which this agent is suspect; `undefined`: the registry's option. */
  readonly suspectMs: number | undefined;
  readonly registration: AcceptedRegistration;
  /** The connection of its agent, open or closed; 0 for a node restored from the store. */
  readonly connection: ConnectionId;
  /** False once that connection has closed; always false for kinds without one. */
  readonly isConnected: boolean;
  /** Names of other coordinators that run and receive its heartbeats. They count while it has no connection here. */
  readonly reportedBy: readonly string[];
  readonly liveness: Liveness;
  /** `undefined` while up. */
  readonly livenessReason: LivenessReason | undefined;
  /** Detail of `livenessReason`: the cause of the last failed probe, or the conflict of a blocked node. */
  readonly livenessDetail: string | undefined;
  /** Needs a successful probe before it is up. */
  readonly awaitsProbe: boolean;
  /** How workers probe its port; `options` until the coordinator has found another kind. */
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
  /** Instant at which that last ended because another node became live: the lease restarts there. `undefined` before the first. */
  readonly heldUntilMs: number | undefined;
  /** False: new work should go to other nodes, by a report of the node or by its ready path. */
  readonly isReady: boolean;
  /** The node reports itself as standby. */
  readonly isReserve: boolean;
  /** Answer of its ready path that means not ready; `undefined` while ready, and for agents. */
  readonly readyReason: string | undefined;
  /** Its ready path is late, so it counts as fully loaded. Always false for agents, which report that as load. */
  readonly isReadyLate: boolean;
  /** Instant at which the registration of the present process was accepted. */
  readonly registeredAtMs: number;
  /** Instant since which its present process is in the feed; `undefined` when it has never been in it. */
  readonly inFeedSinceMs: number | undefined;
  readonly goneAtMs: number | undefined;
  /** Cause of its last absence; kept until it is in the feed again. */
  readonly goneCause: GoneCause | undefined;
  /** An operator knows that it is missing; `undefined` before, and for nodes that are not missing. */
  readonly acknowledged: Acknowledgement | undefined;
  /** The next time it is up counts as a return. */
  readonly isReturning: boolean;
  readonly returns: Returns;
  /** Instant since which it has been up without suspicion; meaningful while up. */
  readonly upSinceMs: number;
  /** Starts of its processes that were set by the coordinator, oldest first; at most four. */
  readonly settledStarts: readonly SettledStart[];
  readonly operatorStatus: RequestedStatus;
  readonly nodeStatus: RequestedStatus;
  /** Statuses that the node requests for single contexts, by path for all hosts, and by `contextKey` for one host; never `enabled`. */
  readonly contextStatus: ReadonlyMap<string, Status>;
  /** Statuses that an operator requests for single contexts, served at present or not; never `enabled`. */
  readonly operatorContexts: ReadonlyMap<ContextPath, Status>;
  readonly overrides: Overrides;
  /** Largest announced weight that counts; `undefined` while the announced one is within the bound. */
  readonly mostWeight: number | undefined;
  /** The node's request that waits for the budget of its balancer. */
  readonly heldStatus: HeldStatus | undefined;
  readonly operatorDrain: Drain | undefined;
  readonly nodeDrain: Drain | undefined;
  /** 0 idle … 1 full, not smoothed; `undefined` when never reported by this process. */
  readonly load: number | undefined;
  readonly sessions: number | undefined;
  readonly inFlight: number | undefined;
  readonly serviceMs: number | undefined;
  readonly metrics: Readonly<Record<string, number>>;
  /** Measured values of the metrics, in the units of their scales. */
  readonly values: Readonly<Record<string, number>>;
  /** How a value becomes a part of the load, as last reported. */
  readonly scales: Readonly<Record<string, MetricScale>>;
  /** Load and metrics over time. */
  readonly history: NodeHistory;
  /** Instant of the last report with numbers; `undefined` before the first. */
  readonly toldAtMs: number | undefined;
  /** The sticky settings that it registered differ from those in force; kept up to date. */
  readonly settingsFault: Fault | undefined;
  /** Why its address may not be connected to; until a worker reports an answer, or it registers again. */
  readonly addressFault: Fault | undefined;
  /** Failing copies of its wrapper, as last reported; empty without a wrapper of the token that keeps the balancer's copies. */
  readonly failing: readonly FailingCopy[];
  /** Causes of `failing` that an event has reported, and the instant at which they were last compared with those of the wrapper's nodes. */
  readonly announcedCauses: ReadonlySet<string>;
  readonly announcedAtMs: number;
}

export type NodeRecord = { -readonly [Key in keyof NodeView]: NodeView[Key] };

/** The required fields of a new record. */
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

/** A new record with `seed` and defaults, as of `nowMs`. */
export function freshRecord(seed: RecordSeed, nowMs: number): NodeRecord {
  return {
    ...seed,
    id: seed.registration.id,
    suspectMs: undefined,
    isConnected: false,
    reportedBy: [],
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
    isReserve: false,
    readyReason: undefined,
    isReadyLate: false,
    registeredAtMs: nowMs,
    inFeedSinceMs: undefined,
    goneAtMs: undefined,
    goneCause: undefined,
    acknowledged: undefined,
    isReturning: false,
    returns: NO_RETURNS,
    upSinceMs: nowMs,
    settledStarts: [],
    operatorStatus: noRequestedStatus(nowMs),
    nodeStatus: noRequestedStatus(nowMs),
    contextStatus: new Map(),
    operatorContexts: new Map(),
    overrides: NO_OVERRIDES,
    mostWeight: undefined,
    heldStatus: undefined,
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
    settingsFault: undefined,
    addressFault: undefined,
    ...NOTHING_FAILING,
  };
}

/** No copy fails, and no cause was reported. */
export const NOTHING_FAILING: Pick<NodeView, 'failing' | 'announcedCauses' | 'announcedAtMs'> = {
  failing: [],
  announcedCauses: new Set(),
  announcedAtMs: Number.NEGATIVE_INFINITY,
};

/** The requested status without a request: `enabled`. */
export function noRequestedStatus(atMs: number): RequestedStatus {
  return { status: 'enabled', reason: undefined, by: undefined, atMs, deadlineAtMs: undefined, untilMs: undefined };
}

/**
 * The coordinator that took a request ends it. Others wait for so long, milliseconds: they find after 5 s that it is down, and a sync takes
 * as long.
 */
const ENDS_ELSEWHERE_MS = 10_000;

/** Instant at which this coordinator ends an operator's request; `undefined` without an end. */
export function endOfRequest({ untilMs, isElsewhere }: RequestedStatus): number | undefined {
  return untilMs === undefined || isElsewhere === undefined ? untilMs : untilMs + ENDS_ELSEWHERE_MS;
}

/** A request for a status that has ended by itself. */
export interface EndedRequest extends Pick<RequestedStatus, 'status' | 'reason' | 'by'> {
  /** `time`: its limit is over. `process`: another process has registered. */
  readonly cause: 'time' | 'process';
  /** Time since the request, milliseconds. */
  readonly ageMs: number;
}

export function endedRequest(
  { status, reason, by, atMs }: RequestedStatus,
  cause: EndedRequest['cause'],
  nowMs: number,
): EndedRequest {
  return { cause, status, reason, by, ageMs: Math.max(0, nowMs - atMs) };
}

export const NO_OVERRIDES: Overrides = { weight: undefined, standby: undefined, redirectTo: undefined };

/** The more restrictive one of the statuses that operator and node request. */
export function effectiveStatus(node: NodeView): Status {
  return mostRestrictive(node.operatorStatus.status, node.nodeStatus.status);
}

/** Its program has requested a status other than enabled, for the whole node or a context, and no operator has. */
export function isEndingItself({ operatorStatus, nodeStatus, contextStatus: ofContexts }: NodeView): boolean {
  if (operatorStatus.status !== 'enabled') return false;
  return nodeStatus.status !== 'enabled' || [...ofContexts.values()].some((status) => status !== 'enabled');
}

/** Status of one context of the node: the most restrictive one of operator, node and context. */
export function contextStatus(node: NodeView, context: HostedContext): Status {
  const { contextStatus: ofNode, operatorContexts } = node;
  let status = effectiveStatus(node);
  for (const other of [operatorContexts.get(context.path), ofNode.get(context.path), ofNode.get(contextKey(context))])
    if (other !== undefined) status = mostRestrictive(status, other);
  return status;
}

/** The contexts of the node with their statuses. A context has an entry for each status that it has on some of its hosts. */
export function contextsWithStatus(node: NodeView): FeedContext[] {
  const { hosts, contexts } = node.registration;
  return contexts.flatMap((entry) => {
    const { path, hosts: own = hosts } = entry;
    const byStatus = new Map<Status, HostPattern[]>();
    for (const host of own) {
      const status = contextStatus(node, { host, path });
      const others = byStatus.get(status);
      if (others) others.push(host);
      else byStatus.set(status, [host]);
    }
    if (byStatus.size > 1) return Array.from(byStatus, ([status, some]) => ({ path, status, hosts: some }));
    const [status] = byStatus.keys();
    return [{ ...entry, status: status! }];
  });
}

/** The operator's weight, or the announced weight up to its bound. */
export function weightOf(node: NodeView): number {
  return node.overrides.weight ?? Math.min(node.registration.weight, node.mostWeight ?? Number.POSITIVE_INFINITY);
}

/** The operator's request, or else the node's own report. */
export function isStandby(node: NodeView): boolean {
  return node.overrides.standby ?? node.isReserve;
}

/** Whether the node takes new sessions in the first place: it is ready, and not held down. */
export function takesNew({ isReady, returns }: NodeView): boolean {
  return isReady && returns.flapping?.heldUntilMs === undefined;
}

/** True for a node that is gone and had no reason to go: it has not left, and no operator has removed it. */
export function isMissing({ kind, liveness, goneCause }: NodeView): boolean {
  return kind === 'agent' && liveness === 'gone' && goneCause !== 'left' && goneCause !== 'removed';
}

/** When a gone node is forgotten; `undefined`: not by time, because it is missing and no operator has acknowledged that. */
export function forgetAtMs(node: NodeView, { rememberMs }: { readonly rememberMs: number }): number | undefined {
  return isMissing(node) && node.acknowledged === undefined ? undefined : node.goneAtMs! + rememberMs;
}
