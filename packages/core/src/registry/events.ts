/**
 * The events of the registry. The caller logs, counts, stores, broadcasts and answers only from them. Each change is
 * therefore reported exactly once, and all consumers see the same.
 */
import type { FeedBalancer } from '@rollcall/feed';
import type {
  BalancerName,
  ContextPath,
  ErrorCode,
  FailingCopy,
  Fault,
  GoneCause,
  NodeId,
  Route,
  Status,
} from '@rollcall/protocol';
import type { LostConflict } from '../replication/lost-conflicts.ts';
import type { ConnectionId } from './commands.ts';
import type { DrainCause } from './node/drain.ts';
import type { EndedRequest, SuspectReason } from './node/node-record.ts';
import type { StickyFinding } from './workers/sticky-findings.ts';

export type Event =
  /** Accepted; `isNew` when the id was not known, `isReturn` when it was gone or remembered from the store. */
  | {
      readonly type: 'registered';
      readonly id: NodeId;
      readonly connection: ConnectionId;
      readonly isNew: boolean;
      readonly isReturn: boolean;
      /** Needs a probe before it is up. */
      readonly needsProbe: boolean;
      readonly warnings: readonly Fault[];
    }
  /** This older connection no longer belongs to the node: the caller sends the reason and closes it. */
  | {
      readonly type: 'connection-refused';
      readonly id: NodeId;
      readonly connection: ConnectionId;
      readonly code: ErrorCode;
      readonly message: string;
      /** Whether the present holder of the name has a current heartbeat. */
      readonly holderConnected?: boolean;
    }
  /** Other coordinators have accepted a node, and these nodes have its route or a context of it here. */
  | {
      readonly type: 'claim-conflict';
      readonly id: NodeId;
      readonly holders: readonly NodeId[];
      readonly code: 'route-taken' | 'context-taken';
      readonly message: string;
    }
  /** A request, a setting or a claim of this coordinator lost against another coordinator's, which did not know it. */
  | ({ readonly type: 'conflict-lost' } & LostConflict)
  /** Eligible from now on, as far as its status allows. */
  | { readonly type: 'up'; readonly id: NodeId; readonly from: 'joining' | 'suspect' | 'down' | 'gone' }
  /** A static member answers for the first time, and stays joining because another balancer serves one of its contexts. */
  | { readonly type: 'blocked'; readonly id: NodeId; readonly detail: string }
  /** The node has returned so often that it is flapping, or it has been up without suspicion for long enough. `count`: its returns. */
  | { readonly type: 'flapping'; readonly id: NodeId; readonly isOn: boolean; readonly count: number }
  /** Stays joining because the coordinator cannot reach it. */
  | { readonly type: 'unreachable'; readonly id: NodeId; readonly detail: string }
  /**
   * `restarted`: another process or address took the id over and is not probed yet; its sessions stay. `unresponsive`: a member
   * without an agent answers no worker.
   */
  | { readonly type: 'suspect'; readonly id: NodeId; readonly reason: SuspectReason; readonly silentMs: number }
  | {
      readonly type: 'gone';
      readonly id: NodeId;
      readonly cause: GoneCause;
      /** Since the last sign of life; for a member whose term is over since its last registration. */
      readonly silentMs: number;
      /** Given up while the agent's connection was open, possibly half open: it must be closed, so that the agent registers again. */
      readonly isConnected: boolean;
      /** A member whose registration was not repeated. */
      readonly isTermOver: boolean;
      readonly by?: string;
      /** It left because its token has ended or does not permit it any more. Absent: false. */
      readonly isExpelled?: true;
    }
  /** A static member is given up. It keeps its contexts, and is up again when a worker reports that it answers. */
  | {
      readonly type: 'down';
      readonly id: NodeId;
      readonly cause: 'refused' | 'expired';
      readonly silentMs: number;
    }
  /** The node accepts new work, or no longer does. */
  | {
      readonly type: 'ready';
      readonly id: NodeId;
      readonly isReady: boolean;
      /** Answer of its ready path; absent: as the node reports. */
      readonly detail?: string;
    }
  /** An operator knows that the node is missing. */
  | { readonly type: 'acknowledged'; readonly id: NodeId; readonly by: string; readonly reason?: string }
  /** A gone node's 24 hours are over: its route is unknown from now on. */
  | { readonly type: 'forgotten'; readonly id: NodeId; readonly balancer: BalancerName; readonly route: Route }
  /** Operator or node requests another status. `effective` is the most restrictive one. */
  | {
      readonly type: 'status';
      readonly id: NodeId;
      readonly side: 'operator' | 'node';
      readonly status: Status;
      readonly effective: Status;
      /** An operator's request for these contexts only; absent: for the whole node. */
      readonly contexts?: readonly ContextPath[];
      /** As given with this request; a repeat does not repeat the reason of the earlier one. */
      readonly reason?: string;
      readonly by?: string;
      /** `null`: the deadline is removed. */
      readonly deadlineMs?: number | null;
      readonly forMs?: number;
      /** Present if the status has no request of its own: an earlier request has ended by itself. */
      readonly ended?: EndedRequest;
    }
  /**
   * The node requests to drain or stop, and is needed for the budget of its balancer: the request is held for at most `holdMs`. `isOn` false: it
   * is in force, because the time is over or enough other nodes are eligible.
   */
  | {
      readonly type: 'budget';
      readonly id: NodeId;
      readonly balancer: BalancerName;
      readonly isOn: boolean;
      readonly holdMs: number;
      /** Eligible nodes without this one, in its context with the fewest. */
      readonly eligible: number;
      readonly minEligible: number;
    }
  /**
   * A drain or stop has ended. `idle`: nothing is in flight, and a drain has no session left. `deadline`: it was ended before. `killed`: the node
   * is about to be gone, with `sessionsLeft` or requests in flight.
   */
  | {
      readonly type: 'drained';
      readonly id: NodeId;
      readonly side: 'operator' | 'node';
      readonly cause: DrainCause;
      readonly sessionsLeft: number;
      /** Sessions left that were seen once. */
      readonly sessionsSeenOnce: number;
      readonly inFlight: number;
    }
  /** The wrapper that keeps this node has to keep `count` copies, and to start the failing ones at once. */
  | {
      readonly type: 'scale';
      readonly id: NodeId;
      readonly balancer: BalancerName;
      readonly count: number;
      /** It keeps this number already, and some of the copies fail. */
      readonly isRepeat: boolean;
      readonly by: string;
      readonly reason?: string;
    }
  /** Copies of the wrapper that keeps this node fail for a cause that was not reported before. */
  | {
      readonly type: 'copies-failing';
      readonly id: NodeId;
      readonly balancer: BalancerName;
      readonly failing: readonly FailingCopy[];
    }
  | { readonly type: 'patched'; readonly id: NodeId; readonly by: string; readonly what: string }
  /** Numbers of a node changed; not a change of membership, and not logged. */
  | { readonly type: 'load'; readonly id: NodeId }
  /** A balancer is new, or its settings in force have changed; `changes` is absent for a new one. */
  | { readonly type: 'balancer'; readonly balancer: FeedBalancer; readonly by?: string; readonly changes?: string }
  /** The sticky self-check has found a problem, or the problem is over. */
  | { readonly type: 'sticky'; readonly isOn: boolean; readonly finding: StickyFinding }
  /** The coordinator knows the cluster now, or no longer waits for remembered nodes. */
  | { readonly type: 'settled'; readonly isSettled: boolean; readonly learningMs: number };

/** The command was refused; nothing has changed. */
export interface Rejection extends Fault {
  readonly type: 'rejected';
}
