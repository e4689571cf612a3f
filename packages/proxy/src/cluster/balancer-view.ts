import {
  type Algorithm,
  type AlgorithmFactory,
  type CookieSeal,
  DEFAULT_ALGORITHM,
  DEFAULT_COOKIES,
  DEFAULT_PARAMETERS,
  DEFAULT_SESSION_ALGORITHM,
  defaultRouteCookie,
  LimitTable,
  OutlierWatch,
  type RequestLimits,
  type Rng,
  RouteCookieWriter,
  routeCookieMark,
  SessionSearch,
  SoftStickiness,
  StickyWatch,
} from '@rollcall/core';
import type { FeedBalancer } from '@rollcall/feed';
import type { BalancerName, ContextPath, GoneCause, GroupName, NodeId, Route } from '@rollcall/protocol';
import { type LiveBalancerCounters, newBalancerCounters } from '../engine/counters.ts';
import type { ClusterNode } from './cluster-node.ts';

/** Maximum number of routes of gone nodes that one balancer remembers; the oldest are dropped first. */
const MAX_REMEMBERED = 100_000;

/** A route that sessions may name: the route of a present node, or of a gone node that is remembered. */
export interface KnownRoute {
  readonly route: Route;
  /** `undefined` while the node is gone. */
  node: ClusterNode | undefined;
  /** Group of the node when it was last present. */
  group: GroupName | undefined;
  /** True while the learning window waits for the return of the node. */
  isExpected: boolean;
  /** The last node with this route, and the reason why it is gone; `undefined` when only the route is known. */
  lost: { readonly id: NodeId; readonly cause: GoneCause } | undefined;
}

/** State of one context of a balancer that survives swaps: its algorithms and its cookie. */
export interface Placement {
  readonly balancer: BalancerView;
  readonly path: ContextPath;
  /** For the access log. */
  readonly label: string;
  /** Places new sessions, or requests where there are no sessions. Only the algorithm that is used receives reports. */
  algorithm: Algorithm;
  /** Whether sessions may leave a hot node; `undefined` if they never may. */
  soft: SoftStickiness<ClusterNode> | undefined;
  cookie: RouteCookieWriter;
  /** Instant at which the context last lost its last node for new work; -Infinity if it never has. */
  lostAtMs: number;
}

export interface BalancerViewOptions {
  /** Time limits of the proxy. */
  readonly limits: RequestLimits;
  readonly rng: Rng;
  /** Algorithms by name, including the defaults. */
  readonly algorithms: ReadonlyMap<string, AlgorithmFactory>;
  /** Absent: route cookies are not sealed. */
  readonly seal?: CookieSeal | undefined;
}

/** One balancer as known to this worker. */
export class BalancerView {
  readonly name: BalancerName;
  readonly routes: Map<string, KnownRoute> = new Map();
  readonly counters: LiveBalancerCounters = newBalancerCounters();
  /** Nodes that answer, but differ from the other nodes by errors or latency. */
  readonly outliers: OutlierWatch<ClusterNode> = new OutlierWatch();
  /** New session ids and visitors as observed by this worker. */
  readonly watch: StickyWatch;
  /** The nodes by `comparable`, to recognise redirects to them. */
  readonly #byAddress = new Map<string, ClusterNode>();
  readonly #placements = new Map<ContextPath, Placement>();
  readonly #rng: Rng;
  readonly #algorithms: ReadonlyMap<string, AlgorithmFactory>;
  readonly #proxyLimits: RequestLimits;
  #settings: FeedBalancer;
  #limits: LimitTable;
  #search: SessionSearch<KnownRoute>;
  /** Prefix of the ids of its cookies. */
  readonly cookieMark: string;
  /** Seals and checks the route cookie; `undefined` without a secret. */
  readonly seal: CookieSeal | undefined;

  constructor(settings: FeedBalancer, { limits, rng, algorithms, seal }: BalancerViewOptions) {
    this.#proxyLimits = limits;
    this.#limits = new LimitTable(limits, settings.limits);
    this.seal = seal;
    this.#algorithms = algorithms;
    this.cookieMark = routeCookieMark(settings.name);
    this.name = settings.name;
    this.#settings = settings;
    this.#rng = rng;
    this.#search = new SessionSearch(settings.sticky, this.cookieMark, this.seal);
    this.watch = new StickyWatch(settings.name, settings.sticky);
  }

  get settings(): FeedBalancer {
    return this.#settings;
  }

  /** Time limits of its requests. */
  get limits(): LimitTable {
    return this.#limits;
  }

  /** Finds the session of a request. The result is valid until the next search. */
  get search(): SessionSearch<KnownRoute> {
    return this.#search;
  }

  /** Applies other settings. Algorithms whose name is unchanged keep their state. */
  configure(settings: FeedBalancer): void {
    this.#settings = settings;
    this.#limits = new LimitTable(this.#proxyLimits, settings.limits);
    this.#search = new SessionSearch(settings.sticky, this.cookieMark, this.seal);
    this.watch.configure(settings.sticky);
    const name = this.#algorithmName();
    for (const placement of this.#placements.values()) this.#equip(placement, name);
  }

  #equip(placement: Placement, name: string): void {
    placement.cookie = this.#writer(placement.path);
    const isSame = placement.algorithm.name === name;
    if (!isSame) placement.algorithm = this.#algorithm(name);
    const { algorithm } = placement;
    const { mode, movable } = this.#settings.sticky;
    if (!movable || mode === 'none' || algorithm.wait === undefined) placement.soft = undefined;
    else if (placement.soft === undefined || !isSame)
      placement.soft = new SoftStickiness({ wait: (node, nowMs) => algorithm.wait?.(node, nowMs) ?? 1 });
  }

  #writer(path: ContextPath): RouteCookieWriter {
    return new RouteCookieWriter(this.#settings.sticky.routeCookie, path, this.seal);
  }

  /** True when answers are searched for the end of the application's session, which ends ours. */
  get endsWithApplication(): boolean {
    const { mode, routeCookie } = this.#settings.sticky;
    return mode === 'insert' && routeCookie.lifetime.ends === 'application';
  }

  /** Name of the algorithm in use: the default if this worker does not know the configured one. */
  #algorithmName(): string {
    const { sticky, algorithm, sessionAlgorithm } = this.#settings;
    const isPlacingSessions = sticky.mode !== 'none';
    const name = isPlacingSessions ? sessionAlgorithm : algorithm;
    if (this.#algorithms.has(name)) return name;
    return isPlacingSessions ? DEFAULT_SESSION_ALGORITHM : DEFAULT_ALGORITHM;
  }

  #algorithm(name: string): Algorithm {
    return this.#algorithms.get(name)!({ rng: this.#rng });
  }

  /** The placement of a context; always the same object for the same path. */
  placement(path: ContextPath): Placement {
    const known = this.#placements.get(path);
    if (known) return known;
    const placement: Placement = {
      balancer: this,
      path,
      label: `${this.name}:${path}`,
      algorithm: this.#algorithm(this.#algorithmName()),
      soft: undefined,
      cookie: this.#writer(path),
      lostAtMs: Number.NEGATIVE_INFINITY,
    };
    this.#equip(placement, placement.algorithm.name);
    this.#placements.set(path, placement);
    return placement;
  }

  /** Drops placements of contexts that no node serves any more. */
  retainPlacements(paths: ReadonlySet<ContextPath>): void {
    for (const path of this.#placements.keys()) if (!paths.has(path)) this.#placements.delete(path);
  }

  /** The node at an address, a `comparableAuthority`; of several the newest. `undefined` if none is there. */
  nodeAt(address: string): ClusterNode | undefined {
    return this.#byAddress.get(address);
  }

  /** `node` belongs to the balancer from now on. Idempotent. */
  enter(node: ClusterNode): void {
    this.#byAddress.set(node.comparable, node);
  }

  /** `node` has left. Another node at its address stays. */
  leave(node: ClusterNode): void {
    if (this.#byAddress.get(node.comparable) === node) this.#byAddress.delete(node.comparable);
  }

  /** Assigns its route to `node`, also if another node has had it. */
  setHome(node: ClusterNode): void {
    const known = this.routes.get(node.route);
    if (known) {
      known.node = node;
      known.group = node.group;
      known.isExpected = false;
      known.lost = undefined;
    } else {
      this.routes.set(node.route, { route: node.route, node, group: node.group, isExpected: false, lost: undefined });
    }
  }

  /** The node of `route` is gone, but sessions that name the route are not new. The route of a present node is unchanged. */
  remember(route: Route, isExpected: boolean): void {
    const known = this.routes.get(route);
    if (known) {
      if (known.node === undefined) known.isExpected = isExpected;
      return;
    }
    this.routes.set(route, { route, node: undefined, group: undefined, isExpected, lost: undefined });
    if (this.routes.size > MAX_REMEMBERED) this.#forgetOldest();
  }

  /** `node` is gone: its route has no node, unless another node has it already. */
  vacate(node: ClusterNode): void {
    const known = this.routes.get(node.route);
    if (known?.node !== node) return;
    known.node = undefined;
    known.isExpected = false;
    known.lost = { id: node.id, cause: node.goneCause };
  }

  /** Records the reason of the coordinator why the node of `route` is gone. */
  tellLost(route: Route, id: NodeId, cause: GoneCause): void {
    const known = this.routes.get(route);
    if (known !== undefined && known.node === undefined) known.lost = { id, cause };
  }

  /** Drops a remembered route. The route of a present node is unchanged. */
  forget(route: Route): void {
    if (this.routes.get(route)?.node === undefined) this.routes.delete(route);
  }

  #forgetOldest(): void {
    for (const [route, { node }] of this.routes) {
      if (node !== undefined) continue;
      this.routes.delete(route);
      return;
    }
  }
}

/** Settings of a balancer until the feed sends them. */
export function defaultBalancer(name: BalancerName): FeedBalancer {
  return {
    name,
    algorithm: DEFAULT_ALGORITHM,
    sessionAlgorithm: DEFAULT_SESSION_ALGORITHM,
    sticky: {
      mode: 'insert',
      cookies: DEFAULT_COOKIES,
      parameters: DEFAULT_PARAMETERS,
      failover: 'any',
      remove: false,
      movable: false,
      routeCookie: defaultRouteCookie(),
    },
    retries: 2,
    sessionIdleMs: 1_800_000,
    assign: false,
  };
}
