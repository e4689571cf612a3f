/**
 * What the registry says has happened. The caller logs, counts, stores, broadcasts and answers from these alone, so
 * each change is told exactly once and everybody sees the same.
 */
import type { BalancerName, ErrorCode, Fault, FeedBalancer, NodeId, Route, Status } from '@rollcall/protocol';
import type { ConnectionId } from './commands.ts';
import type { StickyFinding } from './sticky-findings.ts';

/** Why a node is no longer there. */
export type GoneCause = 'left' | 'expired' | 'removed';

export type Event =
  /** Accepted; `isNew` when the id was not known, `isReturn` when it was gone or remembered from the store. */
  | {
      readonly type: 'registered';
      readonly id: NodeId;
      readonly connection: ConnectionId;
      readonly isNew: boolean;
      readonly isReturn: boolean;
      /** Wants a probe before it is up. */
      readonly needsProbe: boolean;
      readonly warnings: readonly Fault[];
    }
  /** This older connection no longer speaks for the node: tell it why and close it. */
  | {
      readonly type: 'connection-refused';
      readonly id: NodeId;
      readonly connection: ConnectionId;
      readonly code: ErrorCode;
      readonly message: string;
    }
  /** Eligible from now on, as far as its status allows. */
  | { readonly type: 'up'; readonly id: NodeId; readonly from: 'joining' | 'suspect' | 'orphaned' | 'gone' }
  /** Stays joining because the coordinator cannot reach it. */
  | { readonly type: 'unreachable'; readonly id: NodeId; readonly detail: string }
  /** `restarted`: another process or address took the id over and is not probed yet; its sessions stay. */
  | {
      readonly type: 'suspect';
      readonly id: NodeId;
      readonly reason: 'silent' | 'disconnected' | 'unreachable' | 'restarted';
      readonly silentMs: number;
    }
  | {
      readonly type: 'gone';
      readonly id: NodeId;
      readonly cause: GoneCause;
      readonly silentMs: number;
      readonly by?: string;
    }
  /** A gone node's 24 hours are over: its route is unknown from now on. */
  | { readonly type: 'forgotten'; readonly id: NodeId; readonly balancer: BalancerName; readonly route: Route }
  /** Operator or node wants something else. `effective` is the most restrictive. */
  | {
      readonly type: 'status';
      readonly id: NodeId;
      readonly side: 'operator' | 'node';
      readonly status: Status;
      readonly effective: Status;
      readonly reason?: string;
      readonly by?: string;
      readonly deadlineMs?: number;
    }
  /** A drain or stop is complete: nothing is in flight, and no session is left or the deadline has passed. */
  | {
      readonly type: 'drained';
      readonly id: NodeId;
      readonly side: 'operator' | 'node';
      readonly cause: 'idle' | 'deadline';
      readonly sessionsLeft: number;
      readonly inFlight: number;
    }
  /** The wrapper that keeps this node shall keep `count` copies. */
  | {
      readonly type: 'scale';
      readonly id: NodeId;
      readonly balancer: BalancerName;
      readonly count: number;
      readonly by: string;
      readonly reason?: string;
    }
  | { readonly type: 'patched'; readonly id: NodeId; readonly by: string; readonly what: string }
  /** Numbers of a node changed; not a change of membership, and not logged. */
  | { readonly type: 'load'; readonly id: NodeId }
  | { readonly type: 'balancer'; readonly balancer: FeedBalancer; readonly by?: string }
  /** The sticky self-check has found a problem, or the problem is over. */
  | { readonly type: 'sticky'; readonly isOn: boolean; readonly finding: StickyFinding }
  /** The coordinator knows the cluster now, or no longer waits for remembered nodes. */
  | { readonly type: 'settled'; readonly isSettled: boolean; readonly learningMs: number }
  /** So many nodes fell silent at once that the fault is probably ours: nobody expires while it lasts. */
  | { readonly type: 'self-preservation'; readonly isOn: boolean; readonly silent: number; readonly known: number };

/** The command was refused; nothing has changed. */
export interface Rejection extends Fault {
  readonly type: 'rejected';
}
