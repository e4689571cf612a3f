/**
 * All commands that can change the registry. Each description states the effect of a repeat.
 * Times are never inside a command: `apply(command, nowMs)` gets the instant separately.
 */
import type {
  EjectionCause,
  FailoverCount,
  NodeCounters,
  NodeReach,
  ProbeKind,
  StickySample,
  WorkerPorts,
  WorkerSessions,
} from '@rollcall/feed';
import type {
  BalancerName,
  BalancerPatch,
  ContextPath,
  GroupName,
  HeartbeatMessage,
  HostPattern,
  NodeId,
  NodeRegistration,
  Status,
} from '@rollcall/protocol';
import type { HostedContext } from '../contexts/hosted-context.ts';
import type { LostConflict } from '../replication/lost-conflicts.ts';
import type { SharedRecord } from '../replication/shared-record.ts';
import type { DrainUse } from '../replication/shared-store.ts';
import type { StoredRecord } from '../store/store.ts';
import type { NodeView } from './node/node-record.ts';
import type { ConnectionId, QuotaStanding } from './registrant.ts';
import type { OtherHint } from './settings-hint.ts';

export type { ConnectionId, QuotaStanding } from './registrant.ts';

/** The nodes that an operator chooses. */
export type Target =
  | { readonly type: 'node'; readonly id: NodeId }
  | { readonly type: 'balancer'; readonly name: BalancerName }
  | { readonly type: 'group'; readonly name: GroupName }
  | { readonly type: 'nodes'; readonly ids: readonly NodeId[] };

/** A node registers, returns, or repeats its registration. With a repeat by the same instance the newest connection takes over. */
export interface RegisterCommand {
  readonly type: 'register';
  /** With `instance` filled in by the caller when the node gave none. Without `incarnation` the coordinator's clock sets it. */
  readonly node: NodeRegistration & { readonly instance: string; readonly hint?: OtherHint };
  /** Wall clock at `nowMs`. Absent: incarnations are taken as announced. */
  readonly nowUnixMs?: number;
  readonly connection: ConnectionId;
  /** Name of the token of the request; ids belong to token names, so that rotating a token locks no node out. */
  readonly owner: string;
  /** The addresses that the registrant may announce. Absent: only addresses that no node may have are refused. */
  readonly reach?: NodeReach;
  /** `agent`: sends heartbeats. `lease`: ends unless the PUT is repeated within `leaseMs`. `static`: stays until it is removed. */
  readonly kind: 'agent' | 'lease' | 'static';
  /** With kind `lease` the term of the registration. With kind `agent` the lease of this node instead of the registry's. */
  readonly leaseMs?: number;
  /**
   * Only with kind `agent`: silence after which this node is suspect, instead of the registry's. For nodes that report rarely, on no
   * lasting connection: the silence ends the connection as well, so that reports of other coordinators count.
   */
  readonly suspectMs?: number;
  /** A static member may replace a node of its id that is registered at another address. Default false. */
  readonly isReplacing?: boolean;
  /** The quotas that count: of the token, or of all peers without a token; no quota for an operator. Default `token`. */
  readonly standing?: QuotaStanding;
  /**
   * It may serve a context below, or a host inside, a context of another token: its token lists them, or an operator registers it.
   * Default false.
   */
  readonly mayShadow?: boolean;
  /** Another coordinator has accepted it: it has no connection to this one. Default false. */
  readonly isReported?: boolean;
}

/**
 * The coordinator's probe of a node that awaits one has a result, or the kind of its answer is known. Ignored when the connection is
 * not the current one; whether it is reachable is ignored once it has been reached.
 */
export interface ReachableCommand {
  readonly type: 'reachable';
  readonly id: NodeId;
  readonly connection: ConnectionId;
  readonly isReachable: boolean;
  /** Another program has answered at the address. The node is gone and its connection is refused. Default false. */
  readonly isOther?: boolean;
  /** The kind of probe that the node answers; absent while unknown. */
  readonly probe?: ProbeKind;
  /** Cause of a failed probe, as text. */
  readonly detail?: string;
}

/** The address of a node, or an address that its host name has now, may not be connected to. A warning until it registers again. */
export interface AddressRefusedCommand {
  readonly type: 'address-refused';
  readonly id: NodeId;
  /** Cause, as text. */
  readonly message: string;
}

/** A sign of life, with numbers and whether an agent's node is ready. An older or equal `seq` is a sign of life and changes nothing else. */
export interface HeartbeatCommand extends Omit<HeartbeatMessage, 'type'> {
  readonly type: 'heartbeat';
  readonly id: NodeId;
  readonly connection: ConnectionId;
  /** The node wants new sessions only when no other node is eligible. Kept until a heartbeat with another value. */
  readonly standby?: boolean;
}

/**
 * The ready path of a member without an agent has answered, or is late. Ignored when the connection is not the current one. A repeat
 * repeats the load of a late path.
 */
export interface ReadyPathCommand {
  readonly type: 'ready-path';
  readonly id: NodeId;
  readonly connection: ConnectionId;
  /** Why the node is not ready, as text; absent: it is ready. */
  readonly problem?: string;
  /** The answer is late: the node counts as fully loaded. */
  readonly isLate: boolean;
}

/** The status that the node requests; a repeat replaces the earlier one. */
export interface NodeStatusCommand {
  readonly type: 'node-status';
  readonly id: NodeId;
  readonly connection: ConnectionId;
  readonly status: Status;
  readonly reason?: string;
  readonly contexts?: readonly ContextPath[];
  /** Instead of `contexts`: only these paths on these hosts. The most restrictive request for a context counts. */
  readonly places?: readonly HostedContext[];
  readonly deadlineMs?: number;
  /** Time for which the request is held while the node is needed for the budget of its balancer. Only for the whole node. Default 0. */
  readonly holdMs?: number;
}

/** The node leaves by its own choice, or because its token has ended. */
export interface LeaveCommand {
  readonly type: 'leave';
  readonly id: NodeId;
  readonly connection: ConnectionId;
  /** Its token has ended or does not permit it any more: it leaves, also while its agent is not connected. Default false. */
  readonly isExpelled?: boolean;
}

/** Its socket closed without leave: suspect at once. Ignored when the connection is not the current one. */
export interface DisconnectCommand {
  readonly type: 'disconnect';
  readonly id: NodeId;
  readonly connection: ConnectionId;
}

/** The status that an operator requests. It survives reconnects and new incarnations. A repeat changes only its limits. */
export interface OperatorStatusCommand {
  readonly type: 'operator-status';
  readonly target: Target;
  readonly status: Status;
  readonly by: string;
  readonly reason?: string;
  /** `null` removes the deadline of a drain. */
  readonly deadlineMs?: number | null;
  readonly forMs?: number;
}

/**
 * The status that an operator requests for contexts of one node; `enabled` ends the request. It survives registrations. The more
 * restrictive one of node and context counts. A repeat changes nothing. Enabling the whole node ends all requests for its contexts.
 */
export interface OperatorContextStatusCommand {
  readonly type: 'operator-context-status';
  readonly id: NodeId;
  readonly contexts: readonly ContextPath[];
  readonly status: Status;
  readonly by: string;
  readonly reason?: string;
}

/** Operator's overrides of one node; `null` removes an override. */
export interface PatchNodeCommand {
  readonly type: 'patch-node';
  readonly id: NodeId;
  readonly weight?: number | null;
  readonly standby?: boolean | null;
  readonly redirectTo?: NodeId | null;
  readonly by: string;
  readonly reason?: string;
}

/** Deletes a node; the same instance may not come back, a new one may. */
export interface RemoveCommand {
  readonly type: 'remove';
  readonly id: NodeId;
  readonly by: string;
  readonly reason?: string;
}

/** An operator knows that these nodes are missing: each is forgotten a day after it was lost. Other nodes are not concerned. */
export interface AcknowledgeCommand {
  readonly type: 'acknowledge';
  readonly target: Target;
  readonly by: string;
  readonly reason?: string;
}

/** What operators have requested of one node. Each part is replaced as a whole when it changes. */
export type NodeRequests = Pick<NodeView, 'operatorStatus' | 'overrides' | 'operatorContexts' | 'acknowledged'>;

/**
 * Puts back what a change of an operator has replaced. Rejected as `conflict` if a part is not what the change has set: it was changed
 * again, or has ended. Then nothing changes.
 */
export interface UndoCommand {
  readonly type: 'undo';
  readonly nodes: readonly { readonly id: NodeId; readonly before: NodeRequests; readonly after: NodeRequests }[];
  /** Settings of operators; `undefined`: none. */
  readonly balancers: readonly {
    readonly name: BalancerName;
    readonly before: BalancerPatch | undefined;
    readonly after: BalancerPatch | undefined;
  }[];
  readonly by: string;
  readonly reason?: string;
}

/** A worker gives a node no new work, because of failed requests, errors or slow answers. */
export interface EjectedCommand {
  readonly type: 'ejected';
  readonly id: NodeId;
  /** For people. */
  readonly reason: string;
  /** Absent: unknown. */
  readonly cause?: EjectionCause;
}

/** Forgets remembered contexts. Without a path: all; without a host: contexts of every host. A repeat changes nothing. */
export interface ForgetContextsCommand {
  readonly type: 'forget-contexts';
  readonly path?: ContextPath;
  readonly host?: HostPattern;
}

/** Sets the number of nodes of a balancer, by the wrappers that keep copies of its program. */
export interface ScaleCommand {
  readonly type: 'scale';
  readonly balancer: BalancerName;
  readonly count: number;
  readonly by: string;
  readonly reason?: string;
}

/** Settings of a balancer from one source; narrower sources win, see balancer-settings.ts. */
export interface BalancerSettingsCommand {
  readonly type: 'balancer-settings';
  /** `*` is every balancer, also future ones; within one source the settings of a named balancer win over it. */
  readonly name: BalancerName | '*';
  readonly source: 'operator' | 'flag' | 'environment' | 'file';
  readonly patch: BalancerPatch;
  readonly by: string;
}

/** A worker has connected to the feed; drains wait for its counters from now on, and its reports of ports count. */
export interface WorkerJoinedCommand {
  readonly type: 'worker-joined';
  readonly worker: string;
  /** Distinguishes processes of the same name, whose counts begin at 0. */
  readonly pid?: number;
  /** Its counters began before this coordinator: what they had counted when it joined is not added to the sums. Default false. */
  readonly isOlder?: boolean;
}

/**
 * A worker's feed is gone. The worker is remembered for 15 s, and blocks the early end of drains in this time, because it
 * may still be serving. After that it no longer counts.
 */
export interface WorkerLeftCommand {
  readonly type: 'worker-left';
  readonly worker: string;
  /** It has ended in order and serves no requests: it counts no longer. */
  readonly isOver?: boolean;
}

/**
 * Counters of a worker; `revision` is the newest one that it has applied. Nodes not listed are unchanged. A revision is sent
 * only with counters: alone it would not show which requests are still in flight.
 */
export interface ObserveCommand {
  readonly type: 'observe';
  readonly worker: string;
  readonly revision: number;
  readonly nodes: readonly NodeCounters[];
  /** Totals since the worker's start; rows not listed are unchanged. */
  readonly failovers?: readonly FailoverCount[];
}

/**
 * Reports of a worker on ports. Rejected when the worker is not connected; nodes that are not in the feed are ignored. Each report
 * that a node answers is a sign of life, repeats included.
 */
export interface PortsSeenCommand {
  readonly type: 'ports-seen';
  readonly worker: string;
  readonly ports: WorkerPorts['ports'];
}

/** Sessions that a worker has seen and not reported before, for the merged count of all workers. */
export interface SessionsSeenCommand {
  readonly type: 'sessions-seen';
  readonly worker: string;
  readonly nodes: WorkerSessions['nodes'];
}

/** Samples of new session ids and visitors per balancer, of a worker that has applied `revision`. */
export interface StickySeenCommand {
  readonly type: 'sticky-seen';
  readonly worker: string;
  readonly revision: number;
  readonly balancers: readonly StickySample[];
}

/** Time has passed. Carries out all that is due; the caller ticks at least every 250 ms. */
export interface TickCommand {
  readonly type: 'tick';
}

/** Agents have waited this long to be admitted: the leases of nodes without a connection are paused in that time. */
export interface AgentsHeldCommand {
  readonly type: 'agents-held';
  readonly heldMs: number;
}

/** The coordinator itself was stalled for `stalledMs`: that time counts for no deadline of a node. */
export interface StalledCommand {
  readonly type: 'stalled';
  readonly stalledMs: number;
}

/**
 * Records of the store, applied once at start, or later when the store answers late. Nodes that were present are suspect from then on,
 * with a full lease. The learning window stays open for them. A repeat only adds unknown nodes.
 */
export interface RestoreCommand {
  readonly type: 'restore';
  readonly records: readonly StoredRecord[];
  /** Wall clock at `nowMs`, to translate stored instants. */
  readonly nowUnixMs: number;
  /** Cluster id that the store gets if it has none. Absent: it gets none. */
  readonly clusterId?: string | undefined;
}

/** Records of other coordinators that stand now, of the kinds in records/. A repeat changes nothing. */
export interface MergeCommand {
  readonly type: 'merge';
  readonly records: readonly SharedRecord[];
  /** Which other coordinators receive heartbeats of these nodes; the last report on a node counts. */
  readonly reports?: readonly NodeHeardReport[];
  /** Conflicts that this coordinator has lost, to be reported. */
  readonly lost?: readonly LostConflict[];
  /** Nodes that end first: another node has claimed their route or context earlier. */
  readonly displaced?: {
    readonly ids: readonly NodeId[];
    readonly code: 'route-taken' | 'context-taken';
    readonly by: NodeId;
  };
}

/** Other coordinators that run and receive the heartbeats of one process of a node. */
export interface NodeHeardReport {
  readonly id: NodeId;
  readonly instance: string;
  /** Their names. Empty: none any more. */
  readonly by: readonly string[];
}

/** How the workers of the other coordinators use nodes under an operator's drain. Replaces the earlier state. */
export interface UseElsewhereCommand {
  readonly type: 'use-elsewhere';
  readonly coordinators: readonly CoordinatorUse[];
}

export interface CoordinatorUse {
  readonly name: string;
  /** `undefined`: not known, because it is down, or may not have the request yet. */
  readonly use: DrainUse | undefined;
}

export type Command =
  | RegisterCommand
  | ReachableCommand
  | AddressRefusedCommand
  | HeartbeatCommand
  | ReadyPathCommand
  | NodeStatusCommand
  | LeaveCommand
  | DisconnectCommand
  | OperatorStatusCommand
  | OperatorContextStatusCommand
  | PatchNodeCommand
  | RemoveCommand
  | AcknowledgeCommand
  | EjectedCommand
  | UndoCommand
  | ScaleCommand
  | ForgetContextsCommand
  | BalancerSettingsCommand
  | WorkerJoinedCommand
  | WorkerLeftCommand
  | ObserveCommand
  | PortsSeenCommand
  | SessionsSeenCommand
  | StickySeenCommand
  | TickCommand
  | StalledCommand
  | AgentsHeldCommand
  | RestoreCommand
  | MergeCommand
  | UseElsewhereCommand;
