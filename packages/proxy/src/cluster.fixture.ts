/** A cluster without a network, for tests: a view filled by hand, a router over it, and requests as plain values. */
import { type CookieSeal, REFUSAL_GAP_MS } from '@rollcall/core';
import { ManualClock, seededRng } from '@rollcall/core/testing';
import {
  type FeedBalancer,
  type FeedChange,
  type FeedContext,
  type FeedNode,
  type FeedRememberedRoute,
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
import { defaultBalancer } from './balancer-view.ts';
import type { ClusterNode } from './cluster-node.ts';
import { ClusterRouter } from './cluster-router.ts';
import { ClusterView } from './cluster-view.ts';
import { Ejections } from './ejections.ts';
import type { Failure } from './failure.ts';
import type { Choice, RoutingSlip } from './routing.ts';

/** A node as a test names it; everything else is the default. */
export interface NodeSpec
  extends Partial<
    Pick<
      FeedNode,
      | 'liveness'
      | 'standby'
      | 'weight'
      | 'load'
      | 'sessions'
      | 'incarnation'
      | 'loadHeader'
      | 'index'
      | 'ageMs'
      | 'loadAgeMs'
      | 'hasAgent'
      | 'isConnected'
      | 'isReady'
      | 'probe'
      | 'silentMs'
      | 'instance'
    >
  > {
  readonly balancer?: string;
  readonly route?: string;
  readonly port?: number;
  readonly paths?: readonly string[];
  readonly hosts?: readonly string[];
  readonly status?: Status;
  readonly group?: string;
  readonly redirectTo?: string;
}

/** `undefined` never stands for a name that was meant. */
function sure<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('a test names something that cannot be');
  return value;
}

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
  return {
    index: nextIndex++,
    id: sure(parseNodeId(id)),
    balancer: sure(parseBalancerName(balancer)),
    url: sure(parseNodeUrl(`http://127.0.0.1:${port}`)),
    route: sure(parseRoute(route)),
    hosts: hosts.map((host) => sure(parseHostPattern(host))),
    contexts: paths.map((path): FeedContext => ({ path: sure(parseContextPath(path)), status })),
    weight: 1,
    incarnation: 1,
    liveness: 'up',
    hasAgent: true,
    isConnected: true,
    isReady: true,
    probe: 'options',
    standby: false,
    loadHeader: false,
    ...(group !== undefined && { group: sure(parseGroupName(group)) }),
    ...(redirectTo !== undefined && { redirectTo: sure(parseNodeId(redirectTo)) }),
    ...rest,
  };
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

export function goneChange(id: string, cause: GoneCause = 'expired', balancer = 'shop'): FeedChange {
  return {
    type: 'gone',
    id: sure(parseNodeId(id)),
    balancer: sure(parseBalancerName(balancer)),
    route: sure(parseRoute(id)),
    cause,
  };
}

export function newSlip(): RoutingSlip {
  return {
    node: undefined,
    setCookie: '',
    setCookieUnless: '',
    forwardCookie: undefined,
    forwardTarget: undefined,
    rewriteCookies: [],
    rewriteRoute: '',
    watchesCookies: false,
    hasSession: false,
    isBound: false,
    boundNode: undefined,
    retriesLeft: 0,
    waitFor: {},
    waitKind: 'no-node',
    waitNode: undefined,
    waitMs: 0,
    connectedAtMs: 0,
    tried: new Set(),
    balancer: '',
    stickyResult: '',
    state: undefined,
  };
}

/** What came of one request. */
export interface Routed {
  readonly choice: Choice;
  readonly node: string;
  readonly setCookie: string;
  readonly slip: RoutingSlip;
}

/** How a node answers. */
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
  readonly told: string[] = [];
  #sessions = 0;

  constructor(seal?: CookieSeal) {
    this.view = new ClusterView({ rng: seededRng(1), seal });
    this.view.listener = {
      onReach: () => 0,
      onChange: () => this.told.push('change'),
      onGone: (node) => this.told.push(`gone ${node.id}`),
      onStopped: (node) => this.told.push(`stopped ${node.id}`),
      onStanding: (node) => this.told.push(`standing ${node.id}`),
    };
    this.ejections = new Ejections(this.view, (id, what, reason) => this.observed.push(`${what} ${id}: ${reason}`));
    this.router = new ClusterRouter({
      view: this.view,
      ejections: this.ejections,
      newSessionId: () => `session${String(this.#sessions++).padStart(9, '0')}`,
      onUnknownRoute: () => this.told.push('unknown route'),
      upstreamTimeoutMs: 30_000,
      onMoved: () => this.told.push('moved'),
      onFailover: (_balancer, node, cause) => this.told.push(`failover ${node} ${cause}`),
      onSeen: (node, nowMs) => this.view.refresh(node, nowMs),
      onIdle: (node) => this.told.push(`idle ${node.id}`),
    });
  }

  /** Applies a whole snapshot and swaps. */
  fill(
    nodes: readonly FeedNode[],
    options: {
      readonly balancers?: readonly FeedBalancer[];
      readonly remembered?: readonly FeedRememberedRoute[];
      readonly isSettled?: boolean;
      readonly learningMs?: number;
      readonly epoch?: string;
    } = {},
  ): void {
    const { balancers = [feedBalancer()], remembered = [], isSettled = true, learningMs = 0, epoch = 'e1' } = options;
    this.view.applySnapshot(
      { nodes, balancers, remembered },
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

  /** Asks the router; nothing is sent. */
  ask(
    cookie = '',
    target = '/',
    { method = 'GET', host = 'site.example', slip = newSlip(), isSecure = false } = {},
  ): Routed {
    const choice = this.router.choose({ method, host, target, cookie, isSecure }, slip, this.clock.nowMs());
    return routed(choice, slip);
  }

  /** Asks the router and plays a whole request that the node answers. */
  request(cookie = '', target = '/', answer: Answer = {}): Routed {
    return this.answer(this.ask(cookie, target), answer);
  }

  /** Plays the rest of a request that the router was asked for. */
  answer(result: Routed, { status = 200, latencyMs = 10, loadField = '' }: Answer = {}): Routed {
    if (result.choice !== 'forward') return result;
    this.router.onSend(result.slip, this.clock.nowMs());
    this.router.onResponseHead(result.slip, status, latencyMs, loadField, this.clock.nowMs());
    this.router.onEnd(result.slip, status >= 500 ? 'server-error' : 'ok', this.clock.nowMs());
    return result;
  }

  /** The attempt on the slip fails as the engine would tell it, and another one is asked for. */
  fail({ slip }: Routed, failure: Failure, cookie = '', target = '/'): Routed {
    const nowMs = this.clock.nowMs();
    this.router.onSend(slip, nowMs);
    if (failure.party === 'connect') this.router.onConnectFailure(sure(slip.node), failure, nowMs, nowMs);
    this.router.onEnd(slip, 'failed', nowMs, failure);
    const head = { method: 'GET', host: 'site.example', target, cookie };
    return routed(this.router.chooseAgain(head, slip, failure, nowMs), slip);
  }

  /** The port of the node refuses for good, as two probes find. */
  refuse(id: string): void {
    const { watch } = this.node(id);
    watch.refused(this.clock.nowMs());
    this.clock.advance(REFUSAL_GAP_MS);
    watch.refused(this.clock.nowMs());
    this.refresh(id);
  }

  /** The node answers a probe, on a connection from before unless `connectedAtMs` says when it was opened. */
  probed(id: string, connectedAtMs = Number.NEGATIVE_INFINITY): void {
    const source = { connectedAtMs, isProbe: true, isProof: false };
    this.node(id).watch.probeAnswered(source, this.clock.nowMs());
    this.refresh(id);
  }

  /** A question to the node is overdue. */
  silence(id: string): void {
    this.node(id).watch.connectTimedOut(this.clock.nowMs());
    this.refresh(id);
  }

  refresh(id: string): void {
    this.view.refresh(this.node(id), this.clock.nowMs());
  }

  /** The node has left the others behind in errors: it is out for new work. */
  eject(id: string): void {
    this.ejections.observe(this.node(id), 'outlier', this.clock.nowMs(), 'errors');
  }
}

function routed(choice: Choice, slip: RoutingSlip): Routed {
  return { choice, node: slip.node?.id ?? '', setCookie: slip.setCookie, slip };
}

/** The `Cookie` field of a client that keeps what a `Set-Cookie` told it. */
export function cookieOf(setCookie: string): string {
  return setCookie.split(';')[0] ?? '';
}
