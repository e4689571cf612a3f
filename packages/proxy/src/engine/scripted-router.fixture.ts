import { newLiveNumbers } from '@rollcall/core';
import { parseNodeId, parseRoute } from '@rollcall/protocol';
import type { Failure } from '../failure.ts';
import type { Choice, RoutableHead, Router, RoutingSlip, UpstreamNode, WaitKind } from '../routing.ts';

/** A node of the tests, at a port of this machine. */
export function upstreamNode(
  name: string,
  port: number,
  differs: { readonly keepAliveMs?: number | undefined; readonly readsLoadField?: boolean } = {},
): UpstreamNode {
  return {
    id: parseNodeId(name)!,
    route: parseRoute(name)!,
    host: '127.0.0.1',
    port,
    isTls: false,
    authority: `127.0.0.1:${port}`,
    keepAliveMs: differs.keepAliveMs,
    readsLoadField: differs.readsLoadField ?? false,
    live: newLiveNumbers(),
    takesRequests: true,
    tally: {
      requests: 0,
      failures: 0,
      serverErrors: 0,
      newSessions: 0,
      tunnels: 0,
      bytesToNode: 0,
      bytesFromNode: 0,
      parked: 0,
    },
  };
}

/** Sends every request to the first of `nodes` that it has not been sent to, and keeps a record of what it is told. */
export class ScriptedRouter implements Router {
  onChange: (waitFor?: object) => void = () => {};
  onNodeLost: (node: UpstreamNode) => void = () => {};
  onNodeGone: (node: UpstreamNode) => void = () => {};
  readonly nodes: UpstreamNode[] = [];
  /** What `choose` answers instead of `forward`. */
  choice: Choice | undefined;
  waitMs = 1_000;
  waitKind: WaitKind = 'no-node';
  waitNode: UpstreamNode | undefined;
  waitFor: object = this;
  parkMs = 30_000;
  isBound = false;
  retries = 2;
  setCookie = '';
  forwardCookie: string | undefined;
  forwardTarget: string | undefined;
  rewriteCookies: readonly string[] = [];
  rewriteRoute = '';
  readonly heads: RoutableHead[] = [];
  /** One line per call after the choice, in order. */
  readonly told: string[] = [];
  onTold: () => void = () => {};

  choose(head: RoutableHead, slip: RoutingSlip): Choice {
    const { method, host, target, cookie } = head;
    this.heads.push({ method, host, target, cookie, isSecure: head.isSecure ?? false });
    slip.state = new Set<UpstreamNode>();
    slip.setCookie = this.setCookie;
    slip.forwardCookie = this.forwardCookie;
    slip.forwardTarget = this.forwardTarget;
    slip.rewriteCookies = this.rewriteCookies;
    slip.rewriteRoute = this.rewriteRoute;
    slip.retriesLeft = this.retries;
    slip.isBound = this.isBound;
    slip.waitFor = this.waitFor;
    slip.waitMs = this.waitMs;
    slip.waitKind = this.waitKind;
    slip.waitNode = this.waitNode;
    return this.choice ?? this.#next(slip);
  }

  askAgain(head: RoutableHead, slip: RoutingSlip): Choice {
    return this.choose(head, slip);
  }

  chooseAgain(_head: RoutableHead, slip: RoutingSlip, failure: Failure): Choice {
    this.#tell(`again: ${failure.how}`);
    slip.retriesLeft--;
    return this.#next(slip);
  }

  #next(slip: RoutingSlip): Choice {
    const tried = slip.state instanceof Set ? slip.state : new Set();
    slip.node = this.nodes.find((node) => !tried.has(node));
    if (slip.node) tried.add(slip.node);
    return slip.node ? 'forward' : 'unavailable';
  }

  onSetCookie(_slip: RoutingSlip, value: string): void {
    this.#tell(`cookie ${value}`);
  }

  onSend(slip: RoutingSlip): void {
    slip.node!.live.inFlight++;
    this.#tell(`send ${slip.node!.id}`);
  }

  onResponseHead(slip: RoutingSlip, status: number, _latencyMs: number, loadField: string): void {
    this.#tell(`head ${slip.node!.id} ${status}${loadField === '' ? '' : ` ${loadField}`}`);
  }

  onEnd(slip: RoutingSlip, outcome: string, _nowMs: number, failure?: Failure): void {
    slip.node!.live.inFlight--;
    this.#tell(`end ${slip.node!.id} ${outcome}${failure === undefined ? '' : `: ${failure.how}`}`);
  }

  onConnectFailure(node: UpstreamNode, failure: Failure): void {
    this.#tell(`connect ${node.id}: ${failure.how}`);
  }

  onNodeClosed(): void {}

  #tell(line: string): void {
    this.told.push(line);
    this.onTold();
  }
}
