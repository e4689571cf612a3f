/** A cluster without a network, for tests: a view with nodes from the test, a router over it, and requests as plain values. */

import { type CookieSeal, REFUSAL_GAP_MS } from '@rollcall/core';
import { ManualClock, seededRng } from '@rollcall/core/testing';
import type {
  FeedBalancer,
  FeedChange,
  FeedContext,
  FeedNode,
  FeedRememberedContext,
  FeedRememberedRoute,
} from '@rollcall/feed';
import { newFeedNode } from '@rollcall/feed';
import {
  type GoneCause,
  parseBalancerName,
  parseContextPath,
  parseGroupName,
  parseHostPattern,
  parseNodeId,
  parseNodeUrl,
  parseRoute,
  type Status,
  type StickySettings,
} from '@rollcall/protocol';
import type { Failure } from '../engine/failure.ts';
import { type Choice, newRoutingDecision, type RoutingDecision } from '../engine/router.ts';
import { ClusterRouter } from '../routing/cluster-router.ts';
import { defaultBalancer } from './balancer-view.ts';
import type { ClusterNode } from './cluster-node.ts';
import { ClusterView } from './cluster-view.ts';
import { Ejections } from './ejections.ts';

/** Fields of a node that a test sets; all others have their defaults. */
export interface NodeSpec
  extends Partial<Omit<FeedNode, 'id' | 'balancer' | 'url' | 'route' | 'hosts' | 'contexts' | 'group' | 'redirectTo'>> {
  readonly balancer?: string;
  readonly route?: string;
  readonly port?: number;
  readonly paths?: readonly string[];
  readonly hosts?: readonly string[];
  readonly status?: Status;
  readonly group?: string;
  readonly redirectTo?: string;
}

/** Returns the parsed name; fails if it is `undefined` because the name is invalid. */
function sure<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('a test uses an invalid name');
  return value;
}

/** Wall clock at instant 0 of a test. */
const UNIX_MS = 1_800_000_000_000;
let nextIndex = 1;

export function feedNode(id: string, spec: NodeSpec = {}): FeedNode {
  const {
    balancer = 'shop',
    route = id,
    port = 3_000,
    paths = ['/'],
    hosts = ['*'],
    status = 'enabled',
    group,
    redirectTo,
    ...rest
  } = spec;
  return newFeedNode({
    index: nextIndex++,
    id: sure(parseNodeId(id)),
    balancer: sure(parseBalancerName(balancer)),
    url: sure(parseNodeUrl(`http://127.0.0.1:${port}`)),
    route: sure(parseRoute(route)),
    hosts: hosts.map((host) => sure(parseHostPattern(host))),
    contexts: paths.map((path): FeedContext => ({ path: sure(parseContextPath(path)), status })),
    incarnation: 1,
    liveness: 'up',
    group: group === undefined ? undefined : sure(parseGroupName(group)),
    redirectTo: redirectTo === undefined ? undefined : sure(parseNodeId(redirectTo)),
    ...rest,
  });
}

export function feedBalancer(
  sticky: Partial<StickySettings> = {},
  rest: Partial<Omit<FeedBalancer, 'name' | 'sticky'>> = {},
  name = 'shop',
): FeedBalancer {
  const settings = defaultBalancer(sure(parseBalancerName(name)));
  return { ...settings, ...rest, sticky: { ...settings.sticky, ...sticky } };
}

export function rememberedRoute(route: string, isExpected: boolean, balancer = 'shop'): FeedRememberedRoute {
  return { balancer: sure(parseBalancerName(balancer)), route: sure(parseRoute(route)), isExpected };
}

export function rememberedContext(path: string, emptyMs: number, balancer = 'shop'): FeedRememberedContext {
  return {
    balancer: sure(parseBalancerName(balancer)),
    host: sure(parseHostPattern('*')),
    path: sure(parseContextPath(path)),
    emptyMs,
  };
}

export function goneChange(id: string, cause: GoneCause = 'expired', balancer = 'shop'): FeedChange {
  return {
    type: 'gone',
    id: sure(parseNodeId(id)),
    balancer: sure(parseBalancerName(balancer)),
    route: sure(parseRoute(id)),
    cause,
  };
}

/** Result of one request. */
export interface Routed {
  readonly choice: Choice;
  readonly node: string;
  readonly setCookie: string;
  readonly decision: RoutingDecision;
}

/** Response of a node. */
export interface Answer {
  readonly status?: number;
  readonly latencyMs?: number;
  readonly loadField?: string;
}

export class TestCluster {
  readonly clock = new ManualClock();
  readonly view: ClusterView;
  readonly ejections: Ejections;
  readonly router: ClusterRouter;
  /** `ejected n1: reason`, in order. */
  readonly observed: string[] = [];
  /** `change`, `gone n1`, `stopped n1`, `standing n1`, `idle n1`, `failover n1 refused`, `unknown route`, in order. */
  readonly reported: string[] = [];
  #sessions = 0;

  constructor(seal?: CookieSeal) {
    this.view = new ClusterView({ rng: seededRng(1), seal });
    this.view.listener = {
      onReach: () => 0,
      onChange: () => this.reported.push('change'),
      onGone: (node) => this.reported.push(`gone ${node.id}`),
      onStopped: (node) => this.reported.push(`stopped ${node.id}`),
      onDrainTime: (node) => this.reported.push(`drains ${node.id} until ${node.drainsUntilMs}`),
      onStanding: (node) => this.reported.push(`standing ${node.id}`),
    };
    this.ejections = new Ejections(this.view, (id, what, reason) => this.observed.push(`${what} ${id}: ${reason}`));
    this.router = new ClusterRouter({
      view: this.view,
      ejections: this.ejections,
      newSessionId: () => `session${String(this.#sessions++).padStart(9, '0')}`,
      onUnknownRoute: () => this.reported.push('unknown route'),
      nowUnixMs: () => UNIX_MS + this.clock.nowMs(),
      onMoved: () => this.reported.push('moved'),
      onFailover: (_balancer, node, cause) => this.reported.push(`failover ${node} ${cause}`),
      onSeen: (node, nowMs) => this.view.refresh(node, nowMs),
      onIdle: (node) => this.reported.push(`idle ${node.id}`),
    });
  }

  /** Applies a whole snapshot and swaps. */
  fill(
    nodes: readonly FeedNode[],
    options: {
      readonly balancers?: readonly FeedBalancer[];
      readonly remembered?: readonly FeedRememberedRoute[];
      readonly contexts?: readonly FeedRememberedContext[];
      readonly isSettled?: boolean;
      readonly learningMs?: number;
      readonly epoch?: string;
    } = {},
  ): void {
    const { balancers = [feedBalancer()], remembered = [], contexts = [] } = options;
    const { isSettled = true, learningMs = 0, epoch = 'e1' } = options;
    this.view.applySnapshot(
      { nodes, balancers, remembered, contexts },
      { epoch, revision: 1, isSettled, learningMs, leaseMs: 20_000 },
      this.clock.nowMs(),
    );
    this.view.swap(this.clock.nowMs());
  }

  /** Applies changes and swaps. */
  change(...changes: readonly FeedChange[]): void {
    this.view.applyChanges(this.view.revision + 1, changes, this.clock.nowMs());
    this.view.swap(this.clock.nowMs());
  }

  node(id: string): ClusterNode {
    return sure(this.view.nodes.get(sure(parseNodeId(id))));
  }

  /** Calls the router; no request is sent. */
  ask(
    cookie = '',
    target = '/',
    {
      method = 'GET',
      host = 'site.example',
      decision = newRoutingDecision(),
      isSecure = false,
      isPreflight = false,
    } = {},
  ): Routed {
    const choice = this.router.choose(
      { method, host, target, cookie, isSecure, isPreflight },
      decision,
      this.clock.nowMs(),
    );
    return routed(choice, decision);
  }

  /** Calls the router and completes the request with a response of the node. */
  request(cookie = '', target = '/', answer: Answer = {}): Routed {
    return this.answer(this.ask(cookie, target), answer);
  }

  /** Completes a request for which the router was called. */
  answer(result: Routed, { status = 200, latencyMs = 10, loadField = '' }: Answer = {}): Routed {
    if (result.choice !== 'forward') return result;
    this.router.onSend(result.decision, this.clock.nowMs());
    this.router.onResponseHead(result.decision, status, latencyMs, loadField, this.clock.nowMs());
    this.router.onEnd(result.decision, status >= 500 ? 'server-error' : 'ok', this.clock.nowMs());
    return result;
  }

  /** The attempt of the decision fails as in the engine, and another one is requested. */
  fail({ decision }: Routed, failure: Failure, cookie = '', target = '/'): Routed {
    const nowMs = this.clock.nowMs();
    this.router.onSend(decision, nowMs);
    if (failure.party === 'connect') this.router.onConnectFailure(sure(decision.node), failure, nowMs, nowMs);
    this.router.onEnd(decision, 'failed', nowMs, failure);
    const head = { method: 'GET', host: 'site.example', target, cookie };
    return routed(this.router.chooseAgain(head, decision, failure, nowMs), decision);
  }

  /** The router is called again for a request that waited. */
  askAgain({ decision }: Routed, cookie = '', target = '/'): Routed {
    const head = { method: 'GET', host: 'site.example', target, cookie };
    return routed(this.router.askAgain(head, decision, this.clock.nowMs()), decision);
  }

  /** The port of the node refuses permanently, as two probes find. */
  refuse(id: string): void {
    const { watch } = this.node(id);
    watch.refused(this.clock.nowMs());
    this.clock.advance(REFUSAL_GAP_MS);
    watch.refused(this.clock.nowMs());
    this.refresh(id);
  }

  /** The node answers a probe, on a connection opened at `connectedAtMs` or, by default, on an earlier one. */
  probed(id: string, connectedAtMs = Number.NEGATIVE_INFINITY): void {
    const source = { connectedAtMs, isProbe: true, isProof: false };
    this.node(id).watch.probeAnswered(source, this.clock.nowMs());
    this.refresh(id);
  }

  /** A probe or request at the node is overdue. */
  silence(id: string): void {
    this.node(id).watch.connectTimedOut(this.clock.nowMs());
    this.refresh(id);
  }

  refresh(id: string): void {
    this.view.refresh(this.node(id), this.clock.nowMs());
  }

  /** The node is ejected for errors: it gets no new work. */
  eject(id: string): void {
    this.ejections.observe(this.node(id), 'outlier', this.clock.nowMs(), 'errors');
  }
}

function routed(choice: Choice, decision: RoutingDecision): Routed {
  return { choice, node: decision.node?.id ?? '', setCookie: decision.setCookie, decision };
}

/** The `Cookie` field of a client that has received this `Set-Cookie` value. */
export function cookieOf(setCookie: string): string {
  return setCookie.split(';')[0] ?? '';
}
