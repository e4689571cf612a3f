/**
 * `GET /v1/watch`: the state of the cluster as a stream of server-sent events. `event: snapshot` is a `WatchSnapshot`, and each later
 * `event: delta` a `WatchDelta`, a merge patch for it. `mergePatch(snapshot, delta)` is the next snapshot.
 */
import type { DrainProgress, Role, ShownLiveness } from './admin.ts';
import type { BalancerName, GroupName, NodeId, NodeUrl, Route } from './ids.ts';
import type { MergePatch } from './merge-patch.ts';
import type { Status } from './messages.ts';
import type { ProblemKind, Verdict } from './problems.ts';

/**
 * Means over the last ten seconds, per second, with two significant digits. The counters that a worker brings from the time before it
 * connected do not count.
 */
export interface Rates {
  readonly requestsPerSecond: number;
  /** Answers with status 500 and above. Of a node: its own answers. Otherwise also those of the workers: 502, 503, 504. */
  readonly errorsPerSecond: number;
  /** Attempts that failed because of a node. */
  readonly failuresPerSecond: number;
  /** Absent for a node. */
  readonly retriesPerSecond?: number;
  /** Time to the first octet of the answer, milliseconds, of half and of 99 % of the answers. Absent without answers, and of a node. */
  readonly p50Ms?: number;
  readonly p99Ms?: number;
}

export interface BalancerRow {
  /** Nodes that may take new work now. */
  readonly eligible: number;
  readonly up: number;
  readonly missing: number;
  /** Nodes that it has when every copy is up; absent when no wrapper keeps copies. */
  readonly wanted?: number;
  /** Sessions that were seen again. */
  readonly sessions: number;
  readonly inFlight: number;
  readonly rates: Rates;
}

export interface NodeRow {
  readonly balancer: BalancerName;
  readonly url: NodeUrl;
  readonly route: Route;
  readonly group?: GroupName;
  readonly version?: string;
  /** Host name of its process, as it announced it; otherwise the host of its URL. */
  readonly host: string;
  /** `agent`: sends heartbeats. `lease`: its registration has to be repeated. `static`: stays until it is removed. */
  readonly kind: 'agent' | 'lease' | 'static';
  readonly liveness: ShownLiveness;
  /** Start of the present liveness, to about a second. */
  readonly sinceUnixMs: number;
  /** A missing node that an operator has acknowledged. */
  readonly isAcknowledged?: true;
  /** Absent while it is ready for new work. */
  readonly isNotReady?: true;
  /** The more restrictive one of `operatorStatus` and `nodeStatus`. */
  readonly status: Status;
  /** Request of an operator other than `enabled`. */
  readonly operatorStatus?: {
    readonly status: Status;
    readonly by?: string;
    readonly reason?: string;
    readonly untilUnixMs?: number;
    readonly deadlineUnixMs?: number;
  };
  readonly nodeStatus: Status;
  /** 0–100, higher is freer, 0 is standby; absent while no load was reported. */
  readonly loadFactor?: number;
  readonly weight: number;
  readonly isStandby: boolean;
  readonly redirectTo?: NodeId;
  readonly sessions: number;
  readonly sessionsSeenOnce: number;
  readonly inFlight: number;
  /** Smoothed time to the first octet of an answer, milliseconds, two significant digits; absent before the first answer. */
  readonly latencyMs?: number;
  /** The last ejection within ten minutes. `isOver`: no worker ejects it now. */
  readonly ejection?: {
    readonly reason: string;
    readonly count: number;
    readonly sinceUnixMs: number;
    readonly isOver?: true;
  };
  readonly rates: Rates;
  readonly drain?: DrainProgress;
  /** Kinds of the problems that name this node; absent: no problem does. */
  readonly problems?: readonly ProblemKind[];
}

/** First event of a stream, and after each gap that cannot be resumed. */
export interface WatchSnapshot {
  readonly atUnixMs: number;
  readonly coordinator: {
    readonly name: string;
    readonly version: string;
    /** Random text of the start of the coordinator. */
    readonly epoch: string;
    readonly startedAtUnixMs: number;
    /** Role of the viewer. */
    readonly role: Role;
  };
  readonly verdict: Verdict;
  readonly totals: Rates;
  readonly balancers: Readonly<Record<string, BalancerRow>>;
  /** Present and missing nodes that the query selects, by id. */
  readonly nodes: Readonly<Record<string, NodeRow>>;
}

/** At most one a second for numbers; within 250 ms after an event. Also without a change every two seconds, with `atUnixMs` only. */
export type WatchDelta = MergePatch<Omit<WatchSnapshot, 'coordinator'>>;
