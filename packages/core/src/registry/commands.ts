/**
 * Everything that can change the registry. Each member says what a repeat does.
 * Times are never inside a command: `apply(command, nowMs)` gets the instant separately.
 */
import type {
  BalancerName,
  BalancerPatch,
  ContextPath,
  GroupName,
  HeartbeatMessage,
  NodeCounters,
  NodeId,
  NodeRegistration,
  Status,
  StickySample,
  WorkerSessions,
} from '@rollcall/protocol';
import type { StoredRecord } from '../store/store.ts';

/** Which socket, or which PUT, speaks for a node; larger is newer. Unique within one coordinator's life. */
export type ConnectionId = number;

/** Whom an operator means. */
export type Target =
  | { readonly type: 'node'; readonly id: NodeId }
  | { readonly type: 'balancer'; readonly name: BalancerName }
  | { readonly type: 'group'; readonly name: GroupName };

/** A node enters, returns, or re-states itself. A repeat by the same instance is the newest connection taking over. */
export interface RegisterCommand {
  readonly type: 'register';
  /** With `incarnation` and `instance` filled in by the caller when the node gave none. */
  readonly node: NodeRegistration & { readonly incarnation: number; readonly instance: string };
  readonly connection: ConnectionId;
  /** Name of the token that speaks; ids belong to token names, so that rotating a token locks nobody out. */
  readonly owner: string;
  /** `agent`: lease renewed by heartbeats. `lease`: by repeating the PUT within `leaseMs`. `static`: no lease, probed. */
  readonly kind: 'agent' | 'lease' | 'static';
  /** Only with kind `lease`. */
  readonly leaseMs?: number;
}

/** The coordinator's probe of a joining or static node has come to a result. Ignored when the connection is not the current one. */
export interface ReachableCommand {
  readonly type: 'reachable';
  readonly id: NodeId;
  readonly connection: ConnectionId;
  readonly isReachable: boolean;
  /** Why not, in words. */
  readonly detail?: string;
}

/** Renews the lease and stores the numbers. An older or equal `seq` renews but changes no number. */
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

/** The node goes by its own choice. */
export interface LeaveCommand {
  readonly type: 'leave';
  readonly id: NodeId;
  readonly connection: ConnectionId;
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

/** A worker has connected to the feed; drains wait for its word from now on. */
export interface WorkerJoinedCommand {
  readonly type: 'worker-joined';
  readonly worker: string;
}

/**
 * A worker's feed is gone. It is remembered for 15 s, in which it blocks the early end of drains, because it may
 * still be serving; after that it no longer counts.
 */
export interface WorkerLeftCommand {
  readonly type: 'worker-left';
  readonly worker: string;
  /** It has ended in order and serves nobody: it counts no longer. */
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

/** The coordinator itself stood still for `stalledMs`: nobody's silence in that time counts. */
export interface StalledCommand {
  readonly type: 'stalled';
  readonly stalledMs: number;
}

/**
 * What the store remembered, given once at start before any worker is told anything; the learning window stays open
 * for the nodes among it that are not back. Given later, or again, it only adds to what is remembered.
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
  | HeartbeatCommand
  | NodeStatusCommand
  | LeaveCommand
  | DisconnectCommand
  | OperatorStatusCommand
  | PatchNodeCommand
  | RemoveCommand
  | ScaleCommand
  | BalancerSettingsCommand
  | WorkerJoinedCommand
  | WorkerLeftCommand
  | ObserveCommand
  | SessionsSeenCommand
  | StickySeenCommand
  | TickCommand
  | StalledCommand
  | RestoreCommand;
