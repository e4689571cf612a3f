/**
 * The seam between the HTTP engine, which moves octets, and routing, which knows the cluster. The engine asks `Router` where a request is
 * sent, and reports the result. It knows no contexts, sessions or algorithms, and routing knows no sockets.
 *
 * All calls are synchronous and on the path of every request: no promise, no closure, no avoidable allocation.
 */
import type { AttemptOutcome, HeldSession, LiveNumbers, RequestLimits } from '@rollcall/core';
import type { NodeReach } from '@rollcall/feed';
import type { NodeId, Route, TimeLimitKey } from '@rollcall/protocol';
import type { LiveBalancerCounters, UpstreamCounters } from './counters.ts';
import type { Failure } from './failure.ts';
import { DEFAULT_LIMITS } from './limits.ts';

/** A request as routing sees it. The parsed head of the engine implements it. */
export interface RoutableHead {
  readonly method: string;
  /** Host without port, lower case; `''` for an HTTP/1.0 request without one. */
  readonly host: string;
  /** Origin-form target as received, path and query; `*` for OPTIONS. */
  readonly target: string;
  /** All `Cookie` field values in order, joined by `; `; `''` without any. */
  readonly cookie: string;
  /** True if the client uses TLS, to this proxy or to a trusted proxy in front; absent is false. For `Secure` on our cookie. */
  readonly isSecure?: boolean;
  /** True for a CORS preflight; absent is false. Read only for requests without a session. */
  readonly isPreflight?: boolean;
}

/** One node as the engine sees it. The object lives as long as the node, across snapshot swaps. */
export interface UpstreamNode {
  readonly id: NodeId;
  readonly route: Route;
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
  /** It speaks AJP/1.3 instead of HTTP/1.1. */
  readonly isAjp: boolean;
  /** Allowed targets of its address; absent if unknown. */
  readonly reach?: NodeReach | undefined;
  /** `host:port` as the node would write it in a `Location`, lower case. */
  readonly authority: string;
  /** Announced idle time of the node's connections; `undefined` if the node has announced none. */
  keepAliveMs: number | undefined;
  /** Its `rollcall-load` response field is read. The field is removed in any case. */
  readsLoadField: boolean;
  readonly live: LiveNumbers;
  readonly counters: UpstreamCounters;
  /** Code of the error of the last TLS handshake with it; `undefined` after a successful one. Set by the engine. */
  tlsProblem?: string | undefined;
  /** False while its requests wait or move: no request may be sent to it, not even a retry. */
  readonly takesRequests: boolean;
  /** Instant at which its drain reaches its deadline, on the engine's clock; `Infinity` without one, in the past when it has. */
  readonly drainsUntilMs: number;
}

/**
 * Where one request is sent: filled in by the router and read by the engine. Each client connection has one decision, which is cleared and
 * reused for each request.
 */
export interface RoutingDecision {
  /** The node, if the choice is `forward`. */
  node: UpstreamNode | undefined;
  /** Value of a `Set-Cookie` field to add to the response; `''` for none. An answer of the node may change it. */
  setCookie: string;
  /** Value of another one, which removes the route cookie of an earlier name; `''` for none. */
  removeCookie: string;
  /** Name of a cookie: if the node's answer sets it, `setCookie` is left out; `''` for none. */
  setCookieUnless: string;
  /** `Cookie` value to forward instead of the client's; `undefined` leaves it unchanged, `''` removes the field. */
  forwardCookie: string | undefined;
  /** Target to forward instead of the client's, if a session id had to be removed. */
  forwardTarget: string | undefined;
  /**
   * Path prefix that is taken off the target and put back on the answer; `''` for none. Both targets above have it. Set with each choice of
   * a node.
   */
  prefix: string;
  /** Application cookies to which the route is appended in responses (rewrite mode); empty for none. */
  rewriteCookies: readonly string[];
  /** The route to append in rewrite mode. */
  rewriteRoute: string;
  /** `onSetCookie` is called for the `Set-Cookie` fields of the response. */
  watchesCookies: boolean;
  /**
   * The request belongs to this node: the node of its session, or the one that took the session over. The engine may not send it to
   * others.
   */
  isBound: boolean;
  /**
   * The node at which the client's connection is authenticated (NTLM, Negotiate). Set by the engine. A request without a session is sent
   * there while the node is eligible. A handshake takes several requests, and a client without cookies has no other link between them.
   */
  boundNode: UpstreamNode | undefined;
  /**
   * Time limits of the request. The engine sets those of the proxy before the choice. The router replaces them when it knows the
   * balancer, and not again: a request keeps the limits with which it began.
   */
  limits: RequestLimits;
  /** Attempts that the balancer still allows at other nodes; for requests that are not bound. */
  retriesLeft: number;
  /** If the choice is `wait`: the object that the request waits for, the reason, and the longest time from now, milliseconds. */
  waitFor: object;
  waitKind: WaitKind;
  /** The node whose answer the request waits for; `undefined` if any node will do. */
  waitNode: UpstreamNode | undefined;
  waitMs: number;
  /** When the connection of the attempt was opened, on the engine's clock. Set by the engine. */
  connectedAtMs: number;
  /** Balancer and context, for access log and error page; `''` before a choice. */
  balancer: string;
  /** Counters of the balancer; `undefined` before a choice, and when no context matches. */
  balancerCounters: LiveBalancerCounters | undefined;
  /** How the node was found: `new`, `sticky`, `moved`, `none`. For the access log. */
  stickyResult: string;
  /** State of the router for this request; the engine does not read it. */
  state: unknown;
}

/** What a decision waits for before the first choice. */
const NOTHING: object = {};

/** The decision of a client connection before its first request. */
export function newRoutingDecision(): RoutingDecision {
  return {
    node: undefined,
    setCookie: '',
    removeCookie: '',
    setCookieUnless: '',
    forwardCookie: undefined,
    forwardTarget: undefined,
    rewriteCookies: [],
    prefix: '',
    rewriteRoute: '',
    watchesCookies: false,
    isBound: false,
    boundNode: undefined,
    limits: DEFAULT_LIMITS,
    retriesLeft: 0,
    waitFor: NOTHING,
    waitKind: 'no-node',
    waitNode: undefined,
    waitMs: 0,
    connectedAtMs: 0,
    balancer: '',
    balancerCounters: undefined,
    stickyResult: '',
    state: undefined,
  };
}

/**
 * - `node`: parked until the node answers, or the session moves.
 * - `probe`: a connect was refused, and a probe decides.
 * - `no-node`: no node is eligible, and one may be soon.
 * - `learning`: nodes are expected to register again after a start.
 */
export type WaitKind = 'node' | 'probe' | 'no-node' | 'learning';

/**
 * - `forward`: `decision.node` is set.
 * - `wait`: park the request. Call `askAgain` when the router calls `onChange` with `decision.waitFor`, or after `decision.waitMs`.
 * - `not-found`: no context matches, 404.
 * - `ambiguous`: the path would match another context once decoded, 400.
 * - `unavailable`: no node is eligible, 503 with `Retry-After`.
 * - `failed`: 502. The session's node answers probes and has failed this request twice. Or the balancer allows no more attempts
 *   without an answer.
 */
export type Choice = 'forward' | 'wait' | 'not-found' | 'ambiguous' | 'unavailable' | 'failed';

/** An answer of the proxy itself. */
export interface OwnAnswer {
  /** Code and reason. */
  readonly status: string;
  /** Each with its line end; the engine adds length and connection. */
  readonly fields: string;
  readonly body: string;
}

/** An error answer of the proxy itself. */
export interface FailedAnswer {
  readonly status: number;
  readonly head: RoutableHead;
  /** The limit that ended the request, like `upstream-timeout 30s`; `undefined` if none did. */
  readonly limit: string | undefined;
  readonly nowMs: number;
}

/** Targets with this prefix are answered by the proxy itself. */
export const OWN_PREFIX = '/.well-known/rollcall/';

export interface Router {
  /** The answer to a GET or HEAD of a target under `OWN_PREFIX`; `undefined` if a node has to answer. */
  own?(head: RoutableHead, nowMs: number): OwnAnswer | undefined;
  /** First choice for a request. Clears and fills the decision. */
  choose(head: RoutableHead, decision: RoutingDecision, nowMs: number): Choice;
  /** Another choice for a request that waited, or whose node was lost before it answered. Earlier failures still count. */
  askAgain(head: RoutableHead, decision: RoutingDecision, nowMs: number): Choice;
  /**
   * Another choice after a failed attempt at `decision.node` that may be repeated. A bound request gets the verdict on its node; others get
   * another node. `failure` is a kind.
   */
  chooseAgain(head: RoutableHead, decision: RoutingDecision, failure: Failure, nowMs: number): Choice;
  /** Cause and remedy of an error answer to this decision, for an operator on this machine; `''` without any. */
  operatorDetail?(decision: RoutingDecision, answer: FailedAnswer): string;
  /** The path whose time limit applies to the request; `''` for a limit of its balancer or of the proxy. */
  limitPath?(decision: RoutingDecision, key: TimeLimitKey): string;
  /** Longest time that a request may be parked for a node, milliseconds. Always finite. */
  parkMs(limits: RequestLimits): number;
  /** The attempt is about to be written. In-flight goes up. */
  onSend(decision: RoutingDecision, nowMs: number): void;
  /** The response has a `Set-Cookie` field with this value; called only if `decision.watchesCookies`. */
  onSetCookie(decision: RoutingDecision, value: string): void;
  /** A final response head has arrived, `latencyMs` after `onSend`. `loadField` is `rollcall-load`, `''` for none. */
  onResponseHead(decision: RoutingDecision, status: number, latencyMs: number, loadField: string, nowMs: number): void;
  /** The attempt is over: in-flight goes down. Exactly once per `onSend`. `failure` is the kind of failure, if it failed. */
  onEnd(decision: RoutingDecision, outcome: AttemptOutcome, nowMs: number, failure?: Failure): void;
  /**
   * The node has switched protocols: its session is in use until the tunnel releases it. Called between `onResponseHead` and `onEnd`.
   * `undefined` without a session.
   */
  holdSession?(decision: RoutingDecision, nowMs: number): HeldSession | undefined;
  /** A connect to the node failed that began at `askedAtMs`; not called for failures of this machine. `failure` is a kind. */
  onConnectFailure(node: UpstreamNode, failure: Failure, askedAtMs: number, nowMs: number): void;
  /** The node closed a connection without an announcement, idle for `idleMs`; 0 while a request was in progress on it. */
  onNodeClosed(node: UpstreamNode, idleMs: number, nowMs: number): void;
  /**
   * Path prefix that is taken off requests for the node at `authority` (`comparableAuthority`), if the balancer of the request has one there;
   * `''` for none. Called for absolute redirects only.
   */
  prefixAt(decision: RoutingDecision, authority: string): string | undefined;
  /** URL parameters that may carry the session id of this request. Called for the access log only. */
  sessionParameters?(decision: RoutingDecision): readonly string[];
  /** Called when requests that wait for `waitFor`, or all that wait, should be routed again. Set by the engine. */
  onChange: (waitFor?: object) => void;
  /** The node is lost: repeatable unanswered requests are routed again, answers in progress are cut, and tunnels are closed. Set by the engine. */
  onNodeLost: (node: UpstreamNode) => void;
  /** The node is gone: its idle connections close now, busy ones finish. Set by the engine. */
  onNodeGone: (node: UpstreamNode) => void;
}

/** A target without its query and parameters, for display; at most 256 characters. */
export function pathOnly(target: string): string {
  const end = target.search(/[?;]/);
  return (end < 0 ? target : target.slice(0, end)).slice(0, 256);
}
