/** Finished requests that the workers still keep, with their decisions: `GET /v1/decisions`. */
import type { BalancerName, ContextPath, NodeId } from './ids.ts';

/** Most finished requests in one answer. */
export const MAX_PAST_DECISIONS = 1_000;

/** One attempt of a finished request. */
export interface PastAttempt {
  readonly node: NodeId;
  /** `answered`, or why there was no complete answer, in words. */
  readonly outcome: string;
  /** Time from sending the request to the response head or to the failure, milliseconds. Absent: neither came. */
  readonly afterMs?: number;
}

/** A finished request that a worker still keeps. */
export interface PastDecision {
  readonly requestId: string;
  /** Arrival of the request. */
  readonly atUnixMs: number;
  /** The first 16 characters; empty, like host and path, if the request could not be read. */
  readonly method: string;
  /** The first 112 characters. */
  readonly host: string;
  /** The first 256 characters, without query and parameters. */
  readonly path: string;
  readonly balancer?: BalancerName;
  readonly context?: ContextPath;
  /** Where a known session was found: `cookie NAME`, `path NAME`, `query NAME`. Values are not kept. */
  readonly sessionFrom?: string;
  /** `new`, `none`, `sticky`, `moved`; empty when no node was chosen. */
  readonly result: string;
  /** The node that was chosen last. */
  readonly chosen?: NodeId;
  /** Why that node, or why none; of a request that was refused: why. */
  readonly because: string;
  /** In order of time, at most 21. */
  readonly attempts: readonly PastAttempt[];
  /** Time that the request waited for a node, milliseconds. */
  readonly waitedMs: number;
  /** Status of the answer; 499: the client left before it was complete, 101: upgraded. */
  readonly status: number;
  /** Time from the last attempt to its response head, milliseconds; absent without a response head. */
  readonly upstreamMs?: number;
  readonly durationMs: number;
}

/** A finished request, and the worker that keeps it. */
export interface PastDecisionResource {
  readonly decision: PastDecision;
  readonly worker: string;
}

/** Answer to `GET /v1/decisions`. */
export interface PastDecisionsResource {
  /** Newest first. */
  readonly decisions: readonly PastDecisionResource[];
  /** The workers that have answered. */
  readonly workers: readonly KeptDecisions[];
}

/** How far back the requests go that a worker keeps. */
export interface KeptDecisions {
  readonly worker: string;
  /** Requests that it keeps. */
  readonly kept: number;
  /** Arrival of the oldest one; absent without any. */
  readonly sinceUnixMs?: number;
}

/** Query of `GET /v1/decisions`; all given values must match. */
export interface PastDecisionsQuery {
  /** The chosen node, or one that was tried. */
  readonly node?: string;
  readonly balancer?: string;
  /** A status like `502`, or a class like `5xx`. */
  readonly status?: string;
  /** 1–1,000, default 100. */
  readonly limit?: string;
}
