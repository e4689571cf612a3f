/**
 * Everything that can change the registry. Each member says what a repeat does.
 * Times are never inside a command: `apply(command, nowMs)` gets the instant separately.
 */
import type {
  BalancerName,
  BalancerPatch,
  ContextPath,
  FailoverCount,
  GroupName,
  HeartbeatMessage,
  HostPattern,
  NodeCounters,
  NodeId,
  NodeReach,
  NodeRegistration,
  ProbeKind,
  Status,
  StickySample,
  WorkerPorts,
  WorkerSessions,
} from '@rollcall/protocol';
import type { StoredRecord } from '../store/store.ts';

/** Which socket, or which PUT, speaks for a node; larger is newer. Unique within one coordinator's life. */
export type ConnectionId = number;

/** Whose quotas a registration counts for. */
export type QuotaStanding = 'token' | 'tokenless' | 'operator';

/** Whom an operator means. */
export type Target =
  | { readonly type: 'node'; readonly id: NodeId }
  | { readonly type: 'balancer'; readonly name: BalancerName }
  | { readonly type: 'group'; readonly name: GroupName };

/** A node enters, returns, or re-states itself. A repeat by the same instance is the newest connection taking over. */
export interface RegisterCommand {
  readonly type: 'register';
  /** With `instance` filled in by the caller when the node gave none. Without `incarnation` the coordinator's clock sets it. */
  readonly node: NodeRegistration & { readonly instance: string };
  /** Wall clock at `nowMs`. Absent: incarnations are taken as announced. */
  readonly nowUnixMs?: number;
  readonly connection: ConnectionId;
  /** Name of the token that speaks; ids belong to token names, so that rotating a token locks nobody out. */
  readonly owner: string;
  /** Where the address may point, by who registers it. Absent: what no node may have is refused, and no more. */
  readonly reach?: NodeReach;
  /** `agent`: heard by its heartbeats. `lease`: ends unless the PUT is repeated within `leaseMs`. `static`: stays until it is removed. */
  readonly kind: 'agent' | 'lease' | 'static';
  /** Only with kind `lease`. */
  readonly leaseMs?: number;
  /** A static member may replace a node of its id that is registered at another address. Default false. */
  readonly isReplacing?: boolean;
  /** Whose quotas count: those of the token, or those of all peers without a token; none for an operator. Default `token`. */
  readonly standing?: QuotaStanding;
  /**
   * It may serve a context below, or a host inside, what another token serves: its token lists them, or an operator registers it.
   * Default false.
   */
  readonly mayShadow?: boolean;
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
  /** How the node can be probed, as far as it is known yet. */
  readonly probe?: ProbeKind;
  /** Why not, in words. */
  readonly detail?: string;
}

/** The address of a node, or one that its name has now, may not be connected to. Shown as a warning until it registers again. */
export interface AddressRefusedCommand {
  readonly type: 'address-refused';
  readonly id: NodeId;
  /** Why, in words. */
  readonly message: string;
}

/** A sign of life, with numbers and whether the node is ready. An older or equal `seq` is a sign of life and changes nothing else. */
export interface HeartbeatCommand extends Omit<HeartbeatMessage, 'type'> {
  readonly type: 'heartbeat';
  readonly id: NodeId;
  readonly connection: ConnectionId;
}

/** The node's own wish; a repeat replaces the earlier one. */
export interface NodeStatusCommand {
  readonly type: 'node-status';
  readonly id: NodeId;
  readonly connection: ConnectionId;
  readonly status: Status;
  readonly reason?: string;
  readonly contexts?: readonly ContextPath[];
  readonly deadlineMs?: number;
}

/** The node goes by its own choice, or because its token has ended. */
export interface LeaveCommand {
  readonly type: 'leave';
  readonly id: NodeId;
  readonly connection: ConnectionId;
  /** Its token has ended: it goes although its agent is not connected. Default false. */
  readonly isExpelled?: boolean;
}

/** Its socket closed without leave: suspect at once. Ignored when the connection is not the current one. */
export interface DisconnectCommand {
  readonly type: 'disconnect';
  readonly id: NodeId;
  readonly connection: ConnectionId;
}

/** The operator's wish. Survives reconnects and new incarnations. Repeating the same wish changes nothing but its limits. */
export interface OperatorStatusCommand {
  readonly type: 'operator-status';
  readonly target: Target;
  readonly status: Status;
  readonly by: string;
  readonly reason?: string;
  readonly deadlineMs?: number;
  readonly forMs?: number;
}

/** Operator's overrides of one node; `null` takes one back. */
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

/** Remembered contexts are forgotten: all without a path, those of every host without a host. A repeat changes nothing. */
export interface ForgetContextsCommand {
  readonly type: 'forget-contexts';
  readonly path?: ContextPath;
  readonly host?: HostPattern;
}

/** So many nodes of a balancer, by the wrappers that keep copies of its program. */
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
  /** `*` is every balancer, also those yet to come; within one source the settings of a named one win over it. */
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
}

/**
 * A worker's feed is gone. It is remembered for 15 s, in which it blocks the early end of drains, because it may
 * still be serving; after that it no longer counts.
 */
export interface WorkerLeftCommand {
  readonly type: 'worker-left';
  readonly worker: string;
  /** It has ended in order and serves no requests: it counts no longer. */
  readonly isOver?: boolean;
}

/**
 * What a worker sees; `revision` is the newest it acts upon. Nodes not listed are unchanged. Only for a worker's
 * counters: its bare word that it acts upon a revision says nothing of what is still in flight.
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
 * What a worker knows of ports. Rejected when the worker is not connected; nodes that are not in the feed are ignored. Each report
 * that a node answers is a sign of life, repeats included.
 */
export interface PortsSeenCommand {
  readonly type: 'ports-seen';
  readonly worker: string;
  readonly ports: WorkerPorts['ports'];
}

/** Sessions a worker has seen and not told of before, for the count of all workers together. */
export interface SessionsSeenCommand {
  readonly type: 'sessions-seen';
  readonly worker: string;
  readonly nodes: WorkerSessions['nodes'];
}

/** What a worker that acts upon `revision` sees of new session ids and visitors, per balancer. */
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

/** Agents waited for so long to be admitted: the leases of nodes without a connection are paused in that time. */
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
 * What the store remembered, given once at start, or later when the store answers late. Nodes that were present are suspect from then
 * on, with a full lease; the learning window stays open for them. Given again it only adds nodes that are not known.
 */
export interface RestoreCommand {
  readonly type: 'restore';
  readonly records: readonly StoredRecord[];
  /** Wall clock at `nowMs`, to translate stored instants. */
  readonly nowUnixMs: number;
}

export type Command =
  | RegisterCommand
  | ReachableCommand
  | AddressRefusedCommand
  | HeartbeatCommand
  | NodeStatusCommand
  | LeaveCommand
  | DisconnectCommand
  | OperatorStatusCommand
  | PatchNodeCommand
  | RemoveCommand
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
  | RestoreCommand;
