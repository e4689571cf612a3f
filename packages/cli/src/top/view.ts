/** What `rollcall top` shows: the verdict, a row for each balancer and each node, with rates of the last seconds. */
import type { ShownLiveness, Status, Verdict } from '@rollcall/protocol';

export interface Rates {
  readonly requestsPerSecond: number;
  /** Answers with 500 and above, and failures. */
  readonly errorsPerSecond: number;
}

export interface BalancerRow {
  readonly eligible: number;
  readonly up: number;
  readonly missing: number;
  /** Absent when no wrapper keeps copies. */
  readonly wanted?: number;
  readonly sessions: number;
  readonly inFlight: number;
  readonly rates: Rates;
}

export interface NodeRow {
  readonly balancer: string;
  readonly group?: string;
  readonly version?: string;
  readonly liveness: ShownLiveness;
  /** The status in force. */
  readonly status: Status;
  /** 0 idle … 1 full; absent when never reported. */
  readonly load?: number;
  readonly sessions: number;
  readonly sessionsSeenOnce: number;
  readonly inFlight: number;
  readonly rates: Rates;
  /** Present while the node is ejected. */
  readonly isEjected: boolean;
  /** Why it is not up or not enabled, and its drain; empty without. */
  readonly note: string;
}

export interface View {
  readonly atUnixMs: number;
  readonly verdict: Verdict;
  readonly totals: Rates;
  readonly balancers: Readonly<Record<string, BalancerRow>>;
  readonly nodes: Readonly<Record<string, NodeRow>>;
}
