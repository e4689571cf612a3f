import type { NodeWatch, RequestLimits, ServedContext, SessionPlace } from '@rollcall/core';
import type { StickyResult } from '@rollcall/feed';
import type { FailoverCause, NodeId } from '@rollcall/protocol';
import type { KnownRoute, Placement } from '../cluster/balancer-view.ts';
import type { ClusterNode } from '../cluster/cluster-node.ts';
import type { UpstreamNode, WaitKind } from '../engine/router.ts';

/** The router's state of one request, which the engine carries. One per client connection, reused. */
export class RequestState {
  context: ServedContext<ClusterNode, Placement> | undefined;
  /** The session's route; `undefined` for requests without a known session. */
  known: KnownRoute | undefined;
  /** The session id as sent; `''` for requests without a known session. */
  sessionId = '';
  /** Where the session id was found, and the name of the cookie or parameter; `''` for requests without a known session. */
  sessionPlace: SessionPlace | '' = '';
  sessionName = '';
  /** The id names an unknown route. */
  namesUnknown = false;
  result: StickyResult = 'none';
  /** Why, for `explain`. */
  because = '';
  /** The path is excluded, or ambiguous: no node may be asked. */
  refusedPath: 'excluded' | 'ambiguous' | undefined;
  /** The session leaves a hot node with this request. */
  hasCooledOff = false;
  /** Reason why the session leaves its node with this request; `undefined` when it stays, or has left before. */
  failoverCause: FailoverCause | undefined;
  /** The session had moved, and its new node is lost as well. */
  hasLostMove = false;
  /**
   * Number of refusals of this request by the process that `refusedBy` watches. It starts again when the process has not
   * answered: the process may return later.
   */
  refusals = 0;
  refusedBy: NodeWatch | undefined;
  /** Attempts that may have reached a node and ended without an answer. Not cleared with a further choice for the same request. */
  unansweredAttempts = 0;
  /** Time limits of the request; `undefined` until its balancer is known. Not cleared with a further choice for the same request. */
  limits: RequestLimits | undefined;
  waitKind: WaitKind = 'no-node';
  waitMs = 0;
  waitFor: object = this;
  waitNode: ClusterNode | undefined;
  /** Id in the cookie that is set, by the proxy or the program, with its route; counted with the answer. */
  newSessionId = '';
  /** The time in the route cookie of the request, Unix seconds; -1 for none. */
  cookieTimeS = -1;
  /** The answer has removed, or set, a session cookie of the application. Only observed if the route cookie ends with it. */
  hasRemovedSession = false;
  hasSetSession = false;
  /** `setCookie` of the decision before the answer removed the session. */
  setCookieBefore: string | undefined;
  isSecure = false;
  /** The node whose `live.placed` counts this request, until it is reverted. */
  placedAt: ClusterNode | undefined;
  /** The node of the present attempt. */
  sentTo: ClusterNode | undefined;
  /** Liveness of the process that the attempt was sent to. */
  watch: NodeWatch | undefined;
  isAnswered = false;
  /** Placement whose answer, the last on this connection, gave the route cookie to a new session. Not cleared with the request. */
  gaveCookieAt: Placement | undefined;
  /** The client of this connection has been counted as a client that sends no cookies back. */
  hasRefused = false;
  /** As in the decision. */
  boundNode: UpstreamNode | undefined;
  /** Only for `explain`: no counter, permit or random number may be used. */
  readonly isQuestion: boolean;
  readonly tried: Set<NodeId> = new Set();

  constructor(isQuestion = false) {
    this.isQuestion = isQuestion;
  }

  clear(): void {
    this.context = undefined;
    this.known = undefined;
    this.sessionId = '';
    this.sessionPlace = '';
    this.sessionName = '';
    this.namesUnknown = false;
    this.result = 'none';
    this.because = '';
    this.refusedPath = undefined;
    this.hasCooledOff = false;
    this.failoverCause = undefined;
    this.hasLostMove = false;
    this.newSessionId = '';
    this.cookieTimeS = -1;
    this.hasRemovedSession = false;
    this.hasSetSession = false;
    this.setCookieBefore = undefined;
    this.placedAt = undefined;
    if (this.tried.size > 0) this.tried.clear();
  }
}
