/**
 * The seam between the HTTP engine, which moves bytes, and routing, which knows the cluster. The engine asks `Router`
 * where a request goes and tells it how that went; it knows nothing of contexts, sessions or algorithms, and routing
 * knows nothing of sockets.
 *
 * All calls are synchronous and on the path of every request: no promise, no closure, no allocation that can be avoided.
 */
import type { AttemptOutcome, LiveNumbers } from '@rollcall/core';
import type { NodeId, Route } from '@rollcall/protocol';

/** What routing reads of a request. The engine's parsed head satisfies it. */
export interface RoutableHead {
  readonly method: string;
  /** Host without port, lower case; `''` when an HTTP/1.0 request had none. */
  readonly host: string;
  /** Origin-form target as received, path and query; `*` for OPTIONS. */
  readonly target: string;
  /** All `Cookie` field values in order, joined by `; `; `''` when there is none. */
  readonly cookie: string;
  /** True when the client speaks TLS, to us or to a trusted proxy in front; absent is false. For `Secure` on our cookie. */
  readonly isSecure?: boolean;
}

/** Totals of one node on this worker. Plain numbers, changed in place. */
export interface NodeTally {
  requests: number;
  failures: number;
  serverErrors: number;
  newSessions: number;
  tunnels: number;
  bytesToNode: number;
  bytesFromNode: number;
}

/** One node as the engine uses it. The object lives as long as the node and survives snapshot swaps. */
export interface UpstreamNode {
  readonly id: NodeId;
  readonly route: Route;
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
  /** `host:port` as it would stand in a `Location` of the node's own making, lower case. */
  readonly authority: string;
  /** Announced idle time of the node's connections; `undefined` when it has not told. */
  keepAliveMs: number | undefined;
  /** Its `rollcall-load` response field is read; it is stripped in any case. */
  readsLoadField: boolean;
  readonly live: LiveNumbers;
  readonly tally: NodeTally;
}

/** Why an attempt did not bring a usable response head. */
export type AttemptFailure =
  /** Connect refused: nothing listens there. */
  | 'refused'
  /** No connection within the connect timeout, or no route to it. */
  | 'unreachable'
  /** The connection broke before the first response byte. */
  | 'reset'
  /** What came was not HTTP. */
  | 'broken'
  /** Nothing came in time. */
  | 'timeout';

/**
 * Where one request goes, filled in by the router and read by the engine. One slip per client connection, cleared
 * and used again for each request.
 */
export interface RoutingSlip {
  /** The node to send to when the choice is `forward`. */
  node: UpstreamNode | undefined;
  /** Value of a `Set-Cookie` field to add to the response; `''` for none. */
  setCookie: string;
  /** `Cookie` value to forward instead of the client's; `undefined` leaves it as it is, `''` drops the field. */
  forwardCookie: string | undefined;
  /** Target to forward instead of the client's, when a session id had to be stripped. */
  forwardTarget: string | undefined;
  /** Application cookies whose response values get the route appended (rewrite mode); empty for none. */
  rewriteCookies: readonly string[];
  /** The route to append in rewrite mode. */
  rewriteRoute: string;
  /** `onSetCookie` wants to see the response's `Set-Cookie` fields. */
  watchesCookies: boolean;
  /** True when the request belongs to a known session. */
  hasSession: boolean;
  /** Further attempts the balancer allows after a failed one. */
  retriesLeft: number;
  /** Nodes that have failed this request. Shared empty set until the first failure. */
  tried: ReadonlySet<NodeId>;
  /** Names for access log and error page: balancer and context; `''` before a choice. */
  balancer: string;
  /** How the node was found: `new`, `sticky`, `moved`, `none`. For the access log. */
  stickyResult: string;
  /** Router's own state for this request; the engine only carries it. */
  state: unknown;
}

/**
 * `forward`: `slip.node` is set. `wait`: nobody now, but soon perhaps (`waitMs` on the slip's state is the router's
 * business): park the request, bounded, and ask again when the router calls `onChange` or at `waitDeadlineMs`.
 * `not-found`: no context matches, 404. `ambiguous`: the path would mean another context once decoded, 400.
 * `unavailable`: nobody is eligible, 503 with Retry-After.
 */
export type Choice = 'forward' | 'wait' | 'not-found' | 'ambiguous' | 'unavailable';

/** An answer that the proxy gives by itself. */
export interface OwnAnswer {
  /** Code and reason. */
  readonly status: string;
  /** Each with its line end; length and connection are the engine's. */
  readonly fields: string;
  readonly body: string;
}

/** Targets that begin so are ours to answer. */
export const OWN_PREFIX = '/.well-known/rollcall/';

export interface Router {
  /** The answer to a GET or HEAD of a target under `OWN_PREFIX`; `undefined` when it is a node's to answer after all. */
  own?(head: RoutableHead, nowMs: number): OwnAnswer | undefined;
  /** First choice for a request. Clears and fills the slip. */
  choose(head: RoutableHead, slip: RoutingSlip, nowMs: number): Choice;
  /**
   * Another choice after `slip.node` failed with `failure`; adds it to `tried`. `sameNode` lets the router know that
   * only the same node is acceptable because the request may have been processed (never asked for in that case by
   * the engine: it then gives up). A session's request gets another node only as its failover allows.
   */
  chooseAgain(head: RoutableHead, slip: RoutingSlip, failure: AttemptFailure, nowMs: number): Choice;
  /** For how long a request that was told `wait` may be parked, from its arrival, milliseconds. */
  waitMs(slip: RoutingSlip): number;
  /** The attempt is about to be written. In-flight goes up. */
  onSend(slip: RoutingSlip, nowMs: number): void;
  /** The node's response has a `Set-Cookie` field of this value; told only when `slip.watchesCookies`. */
  onSetCookie(slip: RoutingSlip, value: string): void;
  /** A final response head came, `latencyMs` after `onSend`. `loadField` is `rollcall-load`, `''` for none. */
  onResponseHead(slip: RoutingSlip, status: number, latencyMs: number, loadField: string, nowMs: number): void;
  /** The attempt is over, for better or worse: in-flight goes down. Exactly once per `onSend`. */
  onEnd(slip: RoutingSlip, outcome: AttemptOutcome, nowMs: number): void;
  /** A connect was refused or found nobody, or a probe failed: eject at once. */
  onConnectFailure(node: UpstreamNode, failure: AttemptFailure, nowMs: number): void;
  /** Parameters of the URL that may carry this request's session id. Asked for the access log only. */
  sessionParameters?(slip: RoutingSlip): readonly string[];
  /** Called when waiting requests should ask again. The engine sets it. */
  onChange: () => void;
  /** The node is gone: close its idle connections now, let the busy ones finish. The engine sets it. */
  onNodeGone: (node: UpstreamNode) => void;
}

/** A target without its query and parameters, for people; at most 256 characters. */
export function pathOnly(target: string): string {
  const end = target.search(/[?;]/);
  return (end < 0 ? target : target.slice(0, end)).slice(0, 256);
}
