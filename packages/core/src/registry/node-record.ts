/**
 * What the registry knows of one node. `NodeView` is what everybody may read; only files of this folder see it as the
 * `NodeRecord` it is, and change it.
 */
import type { ContextPath, Fault, Liveness, MetricScale, NodeId, NodeRegistration, Status } from '@rollcall/protocol';
import type { ConnectionId } from './commands.ts';
import type { Drain } from './drain.ts';
import type { GoneCause } from './events.ts';
import { NodeHistory } from './load-history.ts';
import { mostRestrictive } from './node-status.ts';

/** `agent`: lease renewed by heartbeats. `lease`: renewed by repeating the registration. `static`: no lease, probed. */
export type NodeKind = 'agent' | 'lease' | 'static';

/** A registration with the two fields that tell one process from another. */
export type AcceptedRegistration = NodeRegistration & { readonly incarnation: number; readonly instance: string };

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

/** Why a node is not up, or not yet. */
export type LivenessReason =
  | 'silent'
  | 'disconnected'
  | 'unreachable'
  | 'restarted'
  | 'unprobed'
  | 'expected'
  | GoneCause;

export interface NodeView {
  readonly id: NodeId;
  /** Small integer, never reused in one life of the coordinator. */
  readonly index: number;
  /** Name of the token the id belongs to. */
  readonly owner: string;
  readonly kind: NodeKind;
  /** Silence after which this node is gone; Infinity for `static`. */
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
  /** Has been in the feed at some time, so that sessions may name its route. */
  readonly isKnown: boolean;
  /** Largest `seq` of this connection; -1 before the first. */
  readonly seq: number;
  /** Last heartbeat, registration or renewal. */
  readonly heardAtMs: number;
  /** Acceptance of the process that speaks now. */
  readonly registeredAtMs: number;
  /** Instant since which its present process is in the feed; `undefined` when it has never been. */
  readonly inFeedSinceMs: number | undefined;
  readonly goneAtMs: number | undefined;
  /** Cause of its last absence; kept until it is in the feed again. */
  readonly goneCause: GoneCause | undefined;
  /** While restored from the store and not back: the end of the lease it was given for coming back. */
  readonly expectedUntilMs: number | undefined;
  readonly operatorWish: Wish;
  readonly nodeWish: Wish;
  /** The node's wishes about single contexts; never `enabled`. */
  readonly contextStatus: ReadonlyMap<ContextPath, Status>;
  readonly overrides: Overrides;
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
  'index' | 'owner' | 'kind' | 'leaseMs' | 'registration' | 'connection' | 'liveness' | 'livenessReason'
>;

/** A record of which nothing is known but `seed`, as of `nowMs`. */
export function freshRecord(seed: RecordSeed, nowMs: number): NodeRecord {
  return {
    ...seed,
    id: seed.registration.id,
    isConnected: false,
    livenessDetail: undefined,
    awaitsProbe: true,
    isKnown: false,
    seq: -1,
    heardAtMs: nowMs,
    registeredAtMs: nowMs,
    inFeedSinceMs: undefined,
    goneAtMs: undefined,
    goneCause: undefined,
    expectedUntilMs: undefined,
    operatorWish: noWish(nowMs),
    nodeWish: noWish(nowMs),
    contextStatus: new Map(),
    overrides: NO_OVERRIDES,
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

export function weightOf(node: NodeView): number {
  return node.overrides.weight ?? node.registration.weight;
}

export function isStandby(node: NodeView): boolean {
  return node.overrides.standby ?? false;
}
