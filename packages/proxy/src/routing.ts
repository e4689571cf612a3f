/**
 * The seam between the HTTP engine, which moves bytes, and routing, which knows the cluster. The engine asks `Router`
 * where a request goes and tells it how that went; it knows nothing of contexts, sessions or algorithms, and routing
 * knows nothing of sockets.
 *
 * All calls are synchronous and on the path of every request: no promise, no closure, no allocation that can be avoided.
 */
import type { AttemptOutcome, LiveNumbers } from '@rollcall/core';
import type { NodeId, NodeReach, Route } from '@rollcall/protocol';
import type { Failure } from './failure.ts';

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
  /** Requests that wait for the node right now. */
  parked: number;
}

/** One node as the engine uses it. The object lives as long as the node and survives snapshot swaps. */
export interface UpstreamNode {
  readonly id: NodeId;
  readonly route: Route;
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
  /** Where its address may point; absent: that is not known. */
  readonly reach?: NodeReach | undefined;
  /** `host:port` as it would stand in a `Location` of the node's own making, lower case. */
  readonly authority: string;
  /** Announced idle time of the node's connections; `undefined` when it has not told. */
  keepAliveMs: number | undefined;
  /** Its `rollcall-load` response field is read; it is stripped in any case. */
  readsLoadField: boolean;
  readonly live: LiveNumbers;
  readonly tally: NodeTally;
  /** Code of the error that ended the last attempt at TLS with it; `undefined` after one that succeeded. The engine sets it. */
  tlsProblem?: string | undefined;
  /** False while its requests wait, or move: it must not be sent any, not even once more. */
  readonly takesRequests: boolean;
}

/**
 * Where one request goes, filled in by the router and read by the engine. One slip per client connection, cleared
 * and used again for each request.
 */
export interface RoutingSlip {
  /** The node to send to when the choice is `forward`. */
  node: UpstreamNode | undefined;
  /** Value of a `Set-Cookie` field to add to the response; `''` for none. */
  setCookie: string;
  /** Name of a cookie: when the node's own answer sets it, `setCookie` is left out; `''` for none. */
  setCookieUnless: string;
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
  /** The request belongs to this node: a session's own, or the one that took it over. Other nodes are no choice of the engine's. */
  isBound: boolean;
  /**
   * The node that the client's connection is authenticated at (NTLM, Negotiate); the engine sets it. A request without a session goes
   * there while the node may be chosen: a handshake takes several requests, and a client without cookies has nothing else that keeps
   * them together.
   */
  boundNode: UpstreamNode | undefined;
  /** Further attempts the balancer allows at other nodes; for requests that are not bound. */
  retriesLeft: number;
  /** While the choice is `wait`: what the request waits for, why, and for how long from now, milliseconds. */
  waitFor: object;
  waitKind: WaitKind;
  /** The node whose answer it waits for; `undefined` when any node will do. */
  waitNode: UpstreamNode | undefined;
  waitMs: number;
  /** When the attempt's connection was opened, on the engine's clock; the engine sets it. */
  connectedAtMs: number;
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
 * `node`: parked until the node answers, or the session moves. `probe`: a connect was refused, and a probe decides. `no-node`: no node is
 * eligible, and one may be soon. `learning`: nodes are expected back after a start.
 */
export type WaitKind = 'node' | 'probe' | 'no-node' | 'learning';

/**
 * `forward`: `slip.node` is set. `wait`: park the request, bounded, and ask again when the router calls `onChange` with `slip.waitFor`, or
 * when `slip.waitMs` are over. `not-found`: no context matches, 404. `ambiguous`: the path would mean another context once decoded, 400.
 * `unavailable`: no node is eligible, 503 with Retry-After. `failed`: the session's node answers and failed this request again, 502.
 */
export type Choice = 'forward' | 'wait' | 'not-found' | 'ambiguous' | 'unavailable' | 'failed';

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
  /** Another choice for a request that waited, or whose node was lost before it answered. What failed before still counts. */
  askAgain(head: RoutableHead, slip: RoutingSlip, nowMs: number): Choice;
  /**
   * Another choice after an attempt at `slip.node` failed before an octet was processed, or may be repeated. A bound request gets its
   * node's verdict; others get another node.
   */
  chooseAgain(head: RoutableHead, slip: RoutingSlip, failure: Failure, nowMs: number): Choice;
  /** Longest time that a request may be parked for a node, milliseconds. */
  readonly parkMs: number;
  /** The attempt is about to be written. In-flight goes up. */
  onSend(slip: RoutingSlip, nowMs: number): void;
  /** The node's response has a `Set-Cookie` field of this value; told only when `slip.watchesCookies`. */
  onSetCookie(slip: RoutingSlip, value: string): void;
  /** A final response head came, `latencyMs` after `onSend`. `loadField` is `rollcall-load`, `''` for none. */
  onResponseHead(slip: RoutingSlip, status: number, latencyMs: number, loadField: string, nowMs: number): void;
  /** The attempt is over, for better or worse: in-flight goes down. Exactly once per `onSend`. `failure` says why it failed. */
  onEnd(slip: RoutingSlip, outcome: AttemptOutcome, nowMs: number, failure?: Failure): void;
  /** A connect to the node failed that was begun at `askedAtMs`; not told for failures of this machine. */
  onConnectFailure(node: UpstreamNode, failure: Failure, askedAtMs: number, nowMs: number): void;
  /** The node closed a connection, idle for `idleMs`, 0 in the middle of a question, that it had not announced to close. */
  onNodeClosed(node: UpstreamNode, idleMs: number, nowMs: number): void;
  /** Why no node is eligible and what to do, in two sentences for people on this machine; `''` when nothing is known. */
  whyUnavailable?(slip: RoutingSlip, nowMs: number): string;
  /** Parameters of the URL that may carry this request's session id. Asked for the access log only. */
  sessionParameters?(slip: RoutingSlip): readonly string[];
  /** Called when requests that wait for `waitFor`, or all that wait, should ask again. The engine sets it. */
  onChange: (waitFor?: object) => void;
  /** The node is lost: unanswered requests that may be repeated ask again, answers in progress and tunnels are cut. The engine sets it. */
  onNodeLost: (node: UpstreamNode) => void;
  /** The node is gone: close its idle connections now, let the busy ones finish. The engine sets it. */
  onNodeGone: (node: UpstreamNode) => void;
}

/** A target without its query and parameters, for people; at most 256 characters. */
export function pathOnly(target: string): string {
  const end = target.search(/[?;]/);
  return (end < 0 ? target : target.slice(0, end)).slice(0, 256);
}
