import type { NodeWatch, ServedContext } from '@rollcall/core';
import type { FailoverCause, NodeId } from '@rollcall/protocol';
import type { KnownRoute, Placement } from './balancer-view.ts';
import type { ClusterNode } from './cluster-node.ts';
import type { UpstreamNode, WaitKind } from './routing.ts';

/**
 * How the node of a request was found. `new`: a new session. `none`: the balancer keeps no sessions. `sticky`: the
 * session's own node. `moved`: another one, for good.
 */
export type StickyResult = 'new' | 'none' | 'sticky' | 'moved';

/** What the router keeps of one request while the engine carries it. One per client connection, used again. */
export class RequestState {
  context: ServedContext<ClusterNode, Placement> | undefined;
  /** The session's route; `undefined` for requests without a known session. */
  known: KnownRoute | undefined;
  /** The session id as sent; `''` for requests without a known session. */
  sessionId = '';
  /** The id names a route that nobody knows. */
  namesUnknown = false;
  result: StickyResult = 'none';
  /** Why, for `explain`. */
  because = '';
  /** Its session leaves a hot node with it. */
  hasCooledOff = false;
  /** Why its session leaves its node with this request; `undefined` when it stays, or has left before. */
  failoverCause: FailoverCause | undefined;
  /** Its session had moved, and the node that took it over is lost as well. */
  hasLostMove = false;
  /** How often the process that `refusedBy` watches has refused this request. Counted anew once it has not answered: it may be back later. */
  refusals = 0;
  refusedBy: NodeWatch | undefined;
  waitKind: WaitKind = 'no-node';
  waitMs = 0;
  waitFor: object = this;
  waitNode: ClusterNode | undefined;
  /** Id in the cookie that is set, ours or the program's, with its route; counted when the answer comes. */
  newSessionId = '';
  /** The node that `live.placed` counts this request at, until it is known to be wrong. */
  placedAt: ClusterNode | undefined;
  /** The node of the attempt under way. */
  sentTo: ClusterNode | undefined;
  /** What is known of the life of the process that the attempt was sent to. */
  watch: NodeWatch | undefined;
  isAnswered = false;
  /** Where the last answer on this connection gave our cookie to a new session; outlives the request. */
  gaveCookieAt: Placement | undefined;
  /** The client of this connection has been counted as one that sends no cookies back. */
  hasRefused = false;
  /** As in the slip. */
  boundNode: UpstreamNode | undefined;
  /** Only asked for, by `explain`: nothing may be counted, spent or drawn. */
  readonly isQuestion: boolean;
  readonly tried: Set<NodeId> = new Set();

  constructor(isQuestion = false) {
    this.isQuestion = isQuestion;
  }

  clear(): void {
    this.context = undefined;
    this.known = undefined;
    this.sessionId = '';
    this.namesUnknown = false;
    this.result = 'none';
    this.because = '';
    this.hasCooledOff = false;
    this.failoverCause = undefined;
    this.hasLostMove = false;
    this.newSessionId = '';
    this.placedAt = undefined;
    if (this.tried.size > 0) this.tried.clear();
  }
}
