import type { NodeId } from '@rollcall/protocol';
import type { RoutableHead, RoutingDecision } from './router.ts';

/** An attempt of a request that the node did not answer completely. */
export interface FailedAttempt {
  readonly node: NodeId;
  /** The kind of failure, in words. */
  readonly how: string;
  /** Time from sending the request to the failure, milliseconds. */
  readonly afterMs: number;
}

/** A request at its end, for a record of it. The object is reused: valid until the call returns. */
export interface FinishedRequest {
  readonly head: RoutableHead;
  readonly decision: RoutingDecision;
  readonly requestId: string;
  /** On the engine's clock. */
  readonly startedMs: number;
  /** Time that the request waited for a node, milliseconds. */
  readonly waitedMs: number;
  readonly attempts: number;
  /** In order of time; `undefined` for the usual request without one. */
  readonly failedAttempts: readonly FailedAttempt[] | undefined;
  /** From sending the last attempt to its response head, milliseconds; -1 without a response head. */
  readonly upstreamMs: number;
}

/** Receives requests at their end, on the path of each request: it allocates nothing. */
export interface RequestRecorder {
  finished(request: FinishedRequest, status: number, nowMs: number): void;
  /** A request that was refused before a choice. `head` is `undefined` if it could not be parsed. */
  refused(requestId: string, head: RoutableHead | undefined, status: number, why: string, nowMs: number): void;
}
