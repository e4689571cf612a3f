import {
  type Algorithm,
  type AlgorithmFactory,
  type CookieSeal,
  DEFAULT_ALGORITHM,
  DEFAULT_COOKIES,
  DEFAULT_PARAMETERS,
  DEFAULT_SESSION_ALGORITHM,
  OutlierWatch,
  type Rng,
  routeCookieAttributes,
  routeCookieMark,
  SessionSearch,
  SoftStickiness,
  StickyWatch,
} from '@rollcall/core';
import type { BalancerName, ContextPath, FeedBalancer, GoneCause, GroupName, NodeId, Route } from '@rollcall/protocol';
import type { ClusterNode } from './cluster-node.ts';

/** Routes of gone nodes that one balancer remembers; the oldest go first. */
const MAX_REMEMBERED = 100_000;

/** A route that sessions may name: of a node that is there, or of one that is gone and remembered. */
export interface KnownRoute {
  readonly route: Route;
  /** `undefined` while the node is not there. */
  node: ClusterNode | undefined;
  /** Group of the node when it was last there. */
  group: GroupName | undefined;
  /** True while the learning window waits for the node to come back. */
  isExpected: boolean;
  /** The node that had it last, and why it is gone; `undefined` when only the route is known. */
  lost: { readonly id: NodeId; readonly cause: GoneCause } | undefined;
}

/** What belongs to one context of a balancer and survives swaps: its algorithms and its cookie. */
export interface Placement {
  readonly balancer: BalancerView;
  readonly path: ContextPath;
  /** For the access log. */
  readonly label: string;
  /** Places new sessions, or requests where there are none. Only the one that is asked hears what happens. */
  algorithm: Algorithm;
  /** Whether sessions may leave a hot node; `undefined` where they never do. */
  soft: SoftStickiness<ClusterNode> | undefined;
  readonly cookieAttributes: string;
  readonly secureCookieAttributes: string;
  /** When the context last came to have no node for new work; -Infinity when it never has. */
  lostAtMs: number;
}

export interface BalancerViewOptions {
  readonly rng: Rng;
  /** By name; those that are our defaults are among them. */
  readonly algorithms: ReadonlyMap<string, AlgorithmFactory>;
  /** Without it our cookies are plain. */
  readonly seal?: CookieSeal | undefined;
}

/** One balancer as this worker knows it. */
export class BalancerView {
  readonly name: BalancerName;
  readonly routes: Map<string, KnownRoute> = new Map();
  /** Nodes that answer, but stand out against the others. */
  readonly outliers: OutlierWatch<ClusterNode> = new OutlierWatch();
  /** What this worker sees of new session ids and visitors. */
  readonly watch: StickyWatch;
  readonly #placements = new Map<ContextPath, Placement>();
  readonly #rng: Rng;
  readonly #algorithms: ReadonlyMap<string, AlgorithmFactory>;
  #settings: FeedBalancer;
  #search: SessionSearch<KnownRoute>;
  /** Begins the ids of its cookies. */
  readonly cookieMark: string;
  /** Seals and checks our own cookie; `undefined` without a secret. */
  readonly seal: CookieSeal | undefined;

  constructor(settings: FeedBalancer, { rng, algorithms, seal }: BalancerViewOptions) {
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

  /** Finds the session of a request; its answer is valid until the next search. */
  get search(): SessionSearch<KnownRoute> {
    return this.#search;
  }

  /** Takes over other settings. Algorithms that keep their name keep what they have learned. */
  configure(settings: FeedBalancer): void {
    this.#settings = settings;
    this.#search = new SessionSearch(settings.sticky, this.cookieMark, this.seal);
    this.watch.configure(settings.sticky);
    const name = this.#algorithmName();
    for (const placement of this.#placements.values()) this.#equip(placement, name);
  }

  #equip(placement: Placement, name: string): void {
    const isSame = placement.algorithm.name === name;
    if (!isSame) placement.algorithm = this.#algorithm(name);
    const { algorithm } = placement;
    const { mode, movable } = this.#settings.sticky;
    if (!movable || mode === 'none' || algorithm.heat === undefined) placement.soft = undefined;
    else if (placement.soft === undefined || !isSame)
      placement.soft = new SoftStickiness({ heat: (node, nowMs) => algorithm.heat?.(node, nowMs) ?? 1 });
  }

  /** Of the one that is in use; the default in place of one that this worker does not know. */
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

  /** The placement of a context; always the same one for the same path. */
  placement(path: ContextPath): Placement {
    const known = this.#placements.get(path);
    if (known) return known;
    const placement: Placement = {
      balancer: this,
      path,
      label: `${this.name}:${path}`,
      algorithm: this.#algorithm(this.#algorithmName()),
      soft: undefined,
      cookieAttributes: routeCookieAttributes(path, false),
      secureCookieAttributes: routeCookieAttributes(path, true),
      lostAtMs: Number.NEGATIVE_INFINITY,
    };
    this.#equip(placement, placement.algorithm.name);
    this.#placements.set(path, placement);
    return placement;
  }

  /** Forgets placements of contexts that nobody serves any more. */
  retainPlacements(paths: ReadonlySet<ContextPath>): void {
    for (const path of this.#placements.keys()) if (!paths.has(path)) this.#placements.delete(path);
  }

  /** `node` has its route now, whoever had it before. */
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

  /** `route` has no node, but sessions that name it are not new ones. A node that is there stays. */
  remember(route: Route, isExpected: boolean): void {
    const known = this.routes.get(route);
    if (known) {
      if (known.node === undefined) known.isExpected = isExpected;
      return;
    }
    this.routes.set(route, { route, node: undefined, group: undefined, isExpected, lost: undefined });
    if (this.routes.size > MAX_REMEMBERED) this.#forgetOldest();
  }

  /** `node` is gone: its route has nobody, unless another node has it already. */
  vacate(node: ClusterNode): void {
    const known = this.routes.get(node.route);
    if (known?.node !== node) return;
    known.node = undefined;
    known.isExpected = false;
    known.lost = { id: node.id, cause: node.goneCause };
  }

  /** The coordinator says why the node of `route` is gone. */
  tellLost(route: Route, id: NodeId, cause: GoneCause): void {
    const known = this.routes.get(route);
    if (known !== undefined && known.node === undefined) known.lost = { id, cause };
  }

  /** Drops a remembered route. A route whose node is there stays. */
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

/** Settings of a balancer that the feed has not told yet. */
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
    },
    retries: 2,
    sessionIdleMs: 1_800_000,
    assign: false,
  };
}
