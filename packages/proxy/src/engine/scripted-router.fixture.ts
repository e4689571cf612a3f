import { newLiveNumbers, type RequestLimits } from '@rollcall/core';
import { parseNodeId, parseRoute } from '@rollcall/protocol';
import { comparableAuthority } from '../http1/authority.ts';
import { newUpstreamCounters } from './counters.ts';
import type { Failure } from './failure.ts';
import type { Choice, RoutableHead, Router, RoutingDecision, UpstreamNode, WaitKind } from './router.ts';

/** A node for tests, at a port of this machine. */
export function upstreamNode(
  name: string,
  port: number,
  differs: {
    readonly keepAliveMs?: number | undefined;
    readonly readsLoadField?: boolean;
    readonly isAjp?: boolean;
  } = {},
): UpstreamNode {
  return {
    id: parseNodeId(name)!,
    route: parseRoute(name)!,
    host: '127.0.0.1',
    port,
    isTls: false,
    isAjp: differs.isAjp ?? false,
    authority: `127.0.0.1:${port}`,
    keepAliveMs: differs.keepAliveMs,
    readsLoadField: differs.readsLoadField ?? false,
    live: newLiveNumbers(),
    takesRequests: true,
    drainsUntilMs: Number.POSITIVE_INFINITY,
    counters: newUpstreamCounters(),
  };
}

/** Sends every request to the first of `nodes` that has not had it, and records each report of the engine. */
export class ScriptedRouter implements Router {
  onChange: (waitFor?: object) => void = () => {};
  onNodeLost: (node: UpstreamNode) => void = () => {};
  onNodeGone: (node: UpstreamNode) => void = () => {};
  holdSession?: NonNullable<Router['holdSession']>;
  readonly nodes: UpstreamNode[] = [];
  /** The result of `choose` instead of `forward`. */
  choice: Choice | undefined;
  waitMs = 1_000;
  waitKind: WaitKind = 'no-node';
  waitNode: UpstreamNode | undefined;
  waitFor: object = this;
  isBound = false;
  retries = 2;
  setCookie = '';
  forwardCookie: string | undefined;
  forwardTarget: string | undefined;
  rewriteCookies: readonly string[] = [];
  rewriteRoute = '';
  prefix = '';
  readonly heads: RoutableHead[] = [];
  /** One line per call after the choice, in order. */
  readonly reports: string[] = [];
  onReport: () => void = () => {};

  /** Time limits by target; `undefined` for those of the engine. */
  limitsOf: (target: string) => RequestLimits | undefined = () => undefined;

  parkMs(): number {
    return 30_000;
  }

  choose(head: RoutableHead, decision: RoutingDecision): Choice {
    const { method, host, target, cookie } = head;
    this.heads.push({ method, host, target, cookie, isSecure: head.isSecure ?? false });
    decision.state = new Set<UpstreamNode>();
    decision.limits = this.limitsOf(target) ?? decision.limits;
    decision.setCookie = this.setCookie;
    decision.forwardCookie = this.forwardCookie;
    decision.forwardTarget = this.forwardTarget;
    decision.rewriteCookies = this.rewriteCookies;
    decision.rewriteRoute = this.rewriteRoute;
    decision.prefix = this.prefix;
    decision.retriesLeft = this.retries;
    decision.isBound = this.isBound;
    decision.waitFor = this.waitFor;
    decision.waitMs = this.waitMs;
    decision.waitKind = this.waitKind;
    decision.waitNode = this.waitNode;
    return this.choice ?? this.#next(decision);
  }

  askAgain(head: RoutableHead, decision: RoutingDecision): Choice {
    return this.choose(head, decision);
  }

  chooseAgain(_head: RoutableHead, decision: RoutingDecision, failure: Failure): Choice {
    this.#record(`again: ${failure.how}`);
    decision.retriesLeft--;
    return this.#next(decision);
  }

  #next(decision: RoutingDecision): Choice {
    const tried = decision.state instanceof Set ? decision.state : new Set();
    decision.node = this.nodes.find((node) => !tried.has(node));
    if (decision.node) tried.add(decision.node);
    return decision.node ? 'forward' : 'unavailable';
  }

  prefixAt(_decision: RoutingDecision, authority: string): string | undefined {
    return this.nodes.some((node) => comparableAuthority(node.authority, '80') === authority) ? this.prefix : undefined;
  }

  onSetCookie(_slip: RoutingDecision, value: string): void {
    this.#record(`cookie ${value}`);
  }

  onSend(decision: RoutingDecision): void {
    decision.node!.live.inFlight++;
    this.#record(`send ${decision.node!.id}`);
  }

  onResponseHead(decision: RoutingDecision, status: number, _latencyMs: number, loadField: string): void {
    this.#record(`head ${decision.node!.id} ${status}${loadField === '' ? '' : ` ${loadField}`}`);
  }

  onEnd(decision: RoutingDecision, outcome: string, _nowMs: number, failure?: Failure): void {
    decision.node!.live.inFlight--;
    this.#record(`end ${decision.node!.id} ${outcome}${failure === undefined ? '' : `: ${failure.how}`}`);
  }

  onConnectFailure(node: UpstreamNode, failure: Failure): void {
    this.#record(`connect ${node.id}: ${failure.how}`);
  }

  onNodeClosed(): void {}

  #record(line: string): void {
    this.reports.push(line);
    this.onReport();
  }
}
