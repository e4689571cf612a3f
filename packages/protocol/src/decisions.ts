/** Why a request is routed as it is: one explained request, and the decisions of workers. */
import type { BalancerName, ContextPath, HostPattern, NodeId, Route } from './ids.ts';
import type { TimeLimit, TimeLimitKey } from './time-limits.ts';

/** One node as a candidate for a request. */
export interface ExplainedCandidate {
  readonly id: NodeId;
  readonly isEligible: boolean;
  /**
   * Reason why the node is not eligible, that it has the session, or what puts it behind others beside its numbers, for people; otherwise
   * empty.
   */
  readonly reason: string;
  /** Score by the algorithm as compared, lower is better; absent when the algorithm did not compare the node. */
  readonly score?: number;
}

/** A time limit that applies to a request. */
export interface ExplainedLimit {
  readonly key: TimeLimitKey;
  /** Milliseconds, or `none`. */
  readonly value: TimeLimit;
  /** The widest scope is `proxy`: the options of the worker. */
  readonly from: (typeof LIMIT_SCOPES)[number];
  /** The path prefix, with `from: path`. */
  readonly path?: string;
}

/** Where a time limit is set, from wide to narrow. */
export const LIMIT_SCOPES = ['proxy', 'balancer', 'path'] as const;

/** How a worker would route a request. */
export interface ExplainAnswer {
  readonly type: 'explain';
  readonly outcome: 'forward' | 'not-found' | 'unavailable' | 'bad-request';
  readonly balancer?: BalancerName;
  readonly context?: ContextPath;
  /** Host of that context, a name or a pattern. Workers of earlier releases do not send it. */
  readonly contextHost?: HostPattern;
  /** Source of the route: `cookie NAME`, `path NAME`, `query NAME`, or absent. Values are never sent. */
  readonly routeFrom?: string;
  readonly route?: Route;
  readonly chosen?: NodeId;
  /** One sentence for people. */
  readonly because: string;
  readonly candidates: readonly ExplainedCandidate[];
  /** Time limits of the request. Workers of earlier releases do not send them. */
  readonly limits?: readonly ExplainedLimit[];
}

/** One decision of a worker, with the candidates at that time. */
export interface Decision {
  readonly atUnixMs: number;
  readonly method: string;
  readonly host: string;
  /** Without query and parameters. */
  readonly path: string;
  readonly balancer?: BalancerName;
  readonly context?: ContextPath;
  /** As in the access log: `new`, `none`, `sticky`, `moved`, `away`; empty when no node was chosen. */
  readonly result: string;
  readonly chosen?: NodeId;
  readonly because: string;
  /** When an algorithm compared nodes: the best candidates, best first, then nodes that it left out; at most 10. */
  readonly candidates: readonly ExplainedCandidate[];
  /** Total number of candidates. */
  readonly candidateCount: number;
}

/** Answer to `POST /v1/decisions`. */
export interface DecisionsResource {
  /** Oldest first. */
  readonly decisions: readonly Decision[];
}
