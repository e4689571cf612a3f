import type { ServedContext } from '@rollcall/core';
import type { NodeId } from '@rollcall/protocol';
import type { KnownRoute, Placement } from './balancer-view.ts';
import type { ClusterNode } from './cluster-node.ts';

/**
 * How the node of a request was found. `new`: a new session. `none`: the balancer keeps no sessions. `sticky`: the
 * session's own node. `moved`: another one, for good. `away`: another one until the session's own is back.
 */
export type StickyResult = 'new' | 'none' | 'sticky' | 'moved' | 'away';

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
  waitMs = 0;
  /** Id in the cookie that is set, ours or the program's, with its route; counted when the answer comes. */
  newSessionId = '';
  /** The node that `live.placed` counts this request at, until it is known to be wrong. */
  placedAt: ClusterNode | undefined;
  /** The node of the attempt under way. */
  sentTo: ClusterNode | undefined;
  isAnswered = false;
  /** Where the last answer on this connection gave our cookie to a new session; outlives the request. */
  gaveCookieAt: Placement | undefined;
  /** The client of this connection has been counted as one that sends no cookies back. */
  hasRefused = false;
  readonly tried: Set<NodeId> = new Set();

  clear(): void {
    this.context = undefined;
    this.known = undefined;
    this.sessionId = '';
    this.namesUnknown = false;
    this.result = 'none';
    this.because = '';
    this.hasCooledOff = false;
    this.waitMs = 0;
    this.newSessionId = '';
    this.placedAt = undefined;
    if (this.tried.size > 0) this.tried.clear();
  }
}
