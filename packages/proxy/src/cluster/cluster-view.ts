/**
 * The cluster as known to this worker: applies the messages of the feed, and holds the context table that requests read.
 *
 * Changes that remove capacity apply at once, in place: suspicion, ejection, a node that is gone. Changes of shape (members,
 * contexts, statuses) wait for `swap`, which builds one new table for all of them. Nothing here does I/O.
 */

import {
  ALGORITHMS,
  buildContextTable,
  ContextTable,
  type NodeReport,
  NodeSessions,
  type RememberedContext,
  type RequestLimits,
  requestLimits,
} from '@rollcall/core';
import type {
  FeedBalancer,
  FeedChange,
  FeedCommit,
  FeedContext,
  FeedJoiningContext,
  FeedLoad,
  FeedNode,
  FeedRememberedContext,
  FeedRememberedRoute,
  FeedSessions,
  FeedShare,
  ReachBounds,
} from '@rollcall/feed';
import { contextsOf, isSamePlacement, isSameService, newFeedNode } from '@rollcall/feed';
import type { BalancerName, ContextPath, GoneCause, NodeId } from '@rollcall/protocol';
import { DEFAULT_LEASE_MS } from '@rollcall/protocol';
import { DEFAULT_LIMITS } from '../engine/limits.ts';
import { BalancerView, type BalancerViewOptions, defaultBalancer, type Placement } from './balancer-view.ts';
import { ClusterNode, newCarriedCounters } from './cluster-node.ts';

/** A whole snapshot, from the feed or from the file. */
export interface ClusterSnapshot {
  readonly nodes: readonly FeedNode[];
  readonly balancers: readonly FeedBalancer[];
  readonly remembered: readonly FeedRememberedRoute[];
  /** Contexts without nodes. Absent in files of releases without them. */
  readonly contexts?: readonly FeedRememberedContext[];
  /** In saved snapshots only; the feed sends it in `hello`. */
  readonly reach?: ReachBounds;
}

/**
 * Receives changes at once. The methods are called in the middle of a change: they may read the view, and must not apply
 * anything.
 */
export interface ClusterListener {
  /** The addresses that nodes may have are different now. */
  onReach(): void;
  /** Requests that wait may find a node now. */
  onChange(): void;
  /** The node is gone or has moved to another address; this object is not used again. */
  onGone(node: ClusterNode): void;
  /** The handling of its sessions, or its eligibility for new work, has changed. */
  onStanding(node: ClusterNode): void;
  /** All contexts of the node are stopped now. */
  onStopped(node: ClusterNode): void;
  /** The deadline of its drain has been set or changed, or the drain was withdrawn: `drainsUntilMs`. */
  onDrainTime(node: ClusterNode): void;
}

export type ClusterTable = ContextTable<ClusterNode, Placement>;

export class ClusterView {
  epoch = '';
  revision = 0;
  /** False while nodes that are missing in the feed may register late. */
  isSettled = false;
  /** True once a snapshot was applied. */
  isFilled = false;
  /** Until this instant sessions wait for a missing node. */
  learningUntilMs: number = Number.NEGATIVE_INFINITY;
  /** Time without any sign of life after which a node is gone. */
  leaseMs: number = DEFAULT_LEASE_MS;
  /** Contexts that joining nodes will serve. */
  joining: readonly FeedJoiningContext[] = [];
  readonly nodes: Map<NodeId, ClusterNode> = new Map();
  readonly balancers: Map<BalancerName, BalancerView> = new Map();
  #table: ClusterTable = new ContextTable([]);
  #listener: ClusterListener | undefined;
  #reach: ReachBounds | undefined;
  readonly #byIndex = new Map<number, ClusterNode>();
  /** Nodes that the feed of this epoch has not sent yet; they are removed when the coordinator has settled. */
  readonly #unconfirmed = new Set<ClusterNode>();
  readonly #changed = new Set<NodeId>();
  readonly #shares = new Map<BalancerName, number>();
  /** Contexts without nodes that the next table leaves out. */
  #forgottenContexts: Extract<FeedChange, { type: 'contexts-forgotten' }>[] = [];
  /** Contexts without nodes that the next table has, unless the present one has them. */
  #rememberedContexts: RememberedContext[] = [];
  /** Instant at which the first context without nodes is dropped. */
  #emptyUntilMs = Number.POSITIVE_INFINITY;
  /** Balancers that the coordinator has forgotten and whose routes it remembers. */
  readonly #forgotten = new Set<BalancerName>();
  #isDirty = false;
  /** Nodes have joined, left or changed their contexts: algorithms receive the members again. */
  #hasOtherMembers = false;
  readonly #options: BalancerViewOptions;
  readonly #seed: number;

  /** `algorithms` default to those of core, `limits` to those of the engine. */
  constructor(
    options: Omit<BalancerViewOptions, 'algorithms' | 'limits'> &
      Partial<Pick<BalancerViewOptions, 'algorithms' | 'limits'>>,
  ) {
    const { limits = DEFAULT_LIMITS } = options;
    this.#options = {
      algorithms: new Map(Object.entries(ALGORITHMS)),
      ...options,
      limits: requestLimits((key) => limits[key]),
    };
    this.#seed = Math.floor(options.rng() * 0x1_0000_0000);
  }

  /** Time limits of the proxy. */
  get limits(): RequestLimits {
    return this.#options.limits;
  }

  /** Addresses that nodes may have, from the last `hello`; `undefined` before the first. */
  get reach(): ReachBounds | undefined {
    return this.#reach;
  }

  set reach(reported: ReachBounds | undefined) {
    const isNews = JSON.stringify(reported) !== JSON.stringify(this.#reach);
    this.#reach = reported;
    if (isNews) this.#listener?.onReach();
  }

  set listener(listener: ClusterListener) {
    this.#listener = listener;
  }

  /** The table that requests are looked up in; `swap` replaces it as a whole. */
  get table(): ClusterTable {
    return this.#table;
  }

  /** True when `swap` has changes to apply. */
  get isDirty(): boolean {
    return this.#isDirty;
  }

  balancer(name: BalancerName): BalancerView {
    const known = this.balancers.get(name);
    if (known) return known;
    const balancer = new BalancerView(defaultBalancer(name), this.#options);
    this.balancers.set(name, balancer);
    return balancer;
  }

  /**
   * Applies a snapshot, which replaces the whole state. The snapshot of an unsettled coordinator only adds and updates: nodes
   * that it does not name stay until the coordinator has settled.
   */
  applySnapshot(
    { nodes, balancers, remembered, contexts = [], reach }: ClusterSnapshot,
    commit: Omit<FeedCommit, 'type'>,
    nowMs: number,
  ): void {
    if (reach !== undefined) this.reach = reach;
    this.epoch = commit.epoch;
    this.revision = commit.revision;
    this.leaseMs = commit.leaseMs;
    this.joining = commit.joining ?? [];
    this.#byIndex.clear();
    for (const node of this.nodes.values()) {
      node.index = -1;
      this.#unconfirmed.add(node);
    }
    for (const settings of balancers) this.#configure(settings, nowMs);
    // Without ages, the nodes of the first snapshot are older than this worker, and later nodes are new.
    const upAtMs = this.isFilled ? nowMs : Number.NEGATIVE_INFINITY;
    for (const node of nodes) this.#put(node, upAtMs, nowMs);
    for (const { balancer, route, isExpected } of remembered) this.balancer(balancer).remember(route, isExpected);
    for (const context of contexts) this.#rememberContext(context, nowMs);
    if (commit.isSettled) this.#forgetUnnamed(remembered, balancers, nowMs);
    this.isFilled = true;
    this.#isDirty = true;
    this.#settle(commit.isSettled, commit.learningMs, nowMs);
  }

  /** Remembers routes from an old file: sessions that name them wait for their nodes for `learningMs`. */
  expectRoutes(routes: readonly Omit<FeedRememberedRoute, 'isExpected'>[], learningMs: number, nowMs: number): void {
    for (const { balancer, route } of routes) this.balancer(balancer).remember(route, true);
    this.learningUntilMs = Math.max(this.learningUntilMs, nowMs + learningMs);
  }

  /** Applies the changes up to `revision`, in order. */
  applyChanges(revision: number, changes: readonly FeedChange[], nowMs: number): void {
    this.revision = revision;
    for (const change of changes) {
      switch (change.type) {
        case 'node':
          this.#put(change.node, nowMs, nowMs);
          break;
        case 'gone': {
          const node = this.nodes.get(change.id);
          const balancer = this.balancer(change.balancer);
          if (node) this.#retire(node, nowMs, change.cause);
          balancer.remember(change.route, false);
          balancer.tellLost(change.route, change.id, change.cause);
          break;
        }
        case 'balancer':
          this.#configure(change.balancer, nowMs);
          break;
        case 'contexts-forgotten':
          this.#forgottenContexts.push(change);
          this.#isDirty = true;
          break;
        case 'context-remembered':
          this.#rememberContext(change.context, nowMs);
          break;
        case 'balancer-forgotten':
          this.#forgotten.add(change.name);
          this.#forgetBalancer(change.name);
          break;
        case 'forgotten':
          this.balancers.get(change.balancer)?.forget(change.route);
          this.#forgetBalancer(change.balancer);
          break;
        case 'joining':
          this.joining = change.contexts;
          break;
        case 'settled':
          this.#settle(change.isSettled, change.learningMs, nowMs);
          break;
        default:
          change satisfies never;
      }
    }
  }

  /** Applies reports. Unknown indexes are skipped. */
  applyLoads(loads: readonly FeedLoad[], nowMs: number): void {
    for (const [index, load, sessions, counted = -1, inFlight = -1, serviceMs = -1] of loads) {
      const node = this.#byIndex.get(index);
      if (node === undefined) continue;
      node.report(load, sessions, nowMs);
      node.reportCounted(counted, nowMs);
      if (load < 0 && sessions < 0 && inFlight < 0 && serviceMs < 0) continue;
      this.#tellReport(
        node,
        {
          load: reported(load),
          sessions: reported(sessions),
          inFlight: reported(inFlight),
          serviceMs: reported(serviceMs),
          isBesideAnswer: false,
        },
        nowMs,
      );
    }
  }

  /** True if, as far as known, all requests to the present nodes are forwarded by this worker. */
  get isAlone(): boolean {
    for (const { live } of this.nodes.values()) if (live.share < 1) return false;
    return true;
  }

  /** Applies the shares of balancers' requests that this worker forwards, for present and later nodes. */
  applyShares(shares: readonly FeedShare[]): void {
    for (const [balancer, share] of shares) this.#shares.set(balancer, share);
    for (const node of this.nodes.values()) node.live.share = this.#shares.get(node.balancer) ?? 1;
  }

  applySessions(samples: FeedSessions['nodes'], nowMs: number): void {
    for (const sample of samples) this.nodes.get(sample.id)?.adoptSessions(sample, nowMs);
  }

  /** Builds the table from all applied changes. Does nothing when no change has affected its shape. */
  swap(nowMs: number): void {
    if (!this.#isDirty) return;
    const previous = this.#table;
    this.#table = buildContextTable<ClusterNode, Placement>(this.nodes.values(), {
      previous,
      changed: this.#changed,
      attach: (balancer, path) => this.balancer(balancer).placement(path),
      nowMs,
      remembered: this.#rememberedContexts,
      isForgotten: ({ host, path }) =>
        this.#forgottenContexts.some((choice) => (choice.path ?? path) === path && (choice.host ?? host) === host),
    });
    this.#forgottenContexts = [];
    this.#rememberedContexts = [];
    this.#emptyUntilMs = this.#table.emptyUntilMs;
    this.#changed.clear();
    this.#isDirty = false;
    if (this.#hasOtherMembers) this.#tellAlgorithms();
    this.#hasOtherMembers = false;
    this.#listener?.onChange();
  }

  /** True when a context without nodes has been remembered for long enough: the table must be built again. */
  expireEmpty(nowMs: number): boolean {
    if (nowMs < this.#emptyUntilMs) return false;
    this.#isDirty = true;
    return true;
  }

  /** Applies an observation of the node, or the passing of time, at once if its requests are routed differently now. */
  refresh(node: ClusterNode, nowMs: number): void {
    if (!node.refresh(nowMs)) return;
    this.#stand(node, nowMs);
    this.#listener?.onStanding(node);
  }

  #stand(node: ClusterNode, nowMs: number): void {
    for (const context of this.#table.contextsOf(node.id)) {
      const hadNodes = context.forNew.length > 0;
      context.update(node);
      if (hadNodes && context.forNew.length === 0) context.attached.lostAtMs = nowMs;
    }
  }

  /** True if each context of `node` has another node that has heartbeats and is reachable, or answers. */
  othersLive(node: ClusterNode): boolean {
    const contexts = this.#table.contextsOf(node.id);
    return (
      contexts.length > 0 &&
      contexts.every(({ members }) => members.some((other) => other !== node && other.tier !== undefined))
    );
  }

  /** Number of known nodes of a balancer, and number of ejected ones. */
  ejectedShare(name: BalancerName): { readonly known: number; readonly ejected: number } {
    let known = 0;
    let ejected = 0;
    for (const node of this.nodes.values()) {
      if (node.balancer !== name) continue;
      known++;
      if (node.isEjected) ejected++;
    }
    return { known, ejected };
  }

  /** The cluster at `nowMs`, for the file. */
  snapshot(nowMs: number): ClusterSnapshot {
    const nodes: FeedNode[] = [];
    for (const node of this.nodes.values()) nodes.push(feedNodeOf(node, nowMs));
    const remembered: FeedRememberedRoute[] = [];
    for (const { name, routes } of this.balancers.values())
      for (const { route, node, isExpected } of routes.values())
        if (node === undefined) remembered.push({ balancer: name, route, isExpected });
    const balancers = [...this.balancers.values()].map(({ settings }) => settings);
    const contexts: FeedRememberedContext[] = [];
    for (const { balancer, host, path, emptySinceMs } of this.#table.contexts)
      if (emptySinceMs !== undefined) contexts.push({ balancer, host, path, emptyMs: nowMs - emptySinceMs });
    return { nodes, balancers, remembered, contexts, ...(this.reach && { reach: this.reach }) };
  }

  #rememberContext({ balancer, host, path, emptyMs }: FeedRememberedContext, nowMs: number): void {
    this.#rememberedContexts.push({ balancer, host, path, sinceMs: nowMs - emptyMs });
    this.#isDirty = true;
  }

  /** `upAtMs` applies to a new node whose age is unknown. */
  #put(reported: FeedNode, upAtMs: number, nowMs: number): void {
    const known = this.nodes.get(reported.id);
    if (known === undefined || known.url !== reported.url || known.balancer !== reported.balancer) {
      if (known) this.#retire(known, nowMs, 'taken');
      const balancer = this.balancer(reported.balancer);
      const fresh = newCarriedCounters(balancer.settings.sessionIdleMs, this.#seed, balancer.counters);
      if (known) known.counters.balancer = balancer.counters;
      const isSameProcess =
        known?.balancer === reported.balancer && known.feedNode.incarnation === reported.incarnation;
      const carried = isSameProcess ? known : { ...fresh, counters: known?.counters ?? fresh.counters };
      const node = new ClusterNode(
        reported,
        reported.ageMs === undefined ? upAtMs : nowMs - reported.ageMs,
        carried,
        nowMs,
      );
      node.live.share = this.#shares.get(node.balancer) ?? 1;
      node.catchUp(reported, nowMs);
      node.setDrainTime(reported.drainMs, nowMs);
      this.nodes.set(node.id, node);
      this.#hasOtherMembers = true;
      this.balancer(node.balancer).enter(node);
      this.#place(node);
      this.#reshape(node);
      this.balancer(node.balancer).watch.reset();
      return;
    }
    const wasStopped = isStopped(known.contexts);
    if (reported.route !== known.route) this.balancer(known.balancer).vacate(known);
    const isSameProcess = known.isSameProcess(reported);
    if (!isSameProcess) {
      const { watch, outliers } = this.balancer(known.balancer);
      watch.reset();
      outliers.forget(known);
    }
    // The process that had the sessions is gone, or clients have used them while the node was stopped: they have moved, or begin again.
    if (!isSameProcess || (wasStopped && !isStopped(contextsOf(reported))))
      known.sessions = new NodeSessions(this.balancer(known.balancer).settings.sessionIdleMs, this.#seed);
    if (!isSameService(known.feedNode, reported)) this.#hasOtherMembers = true;
    // A change of liveness or load needs no new table. After a restart of the coordinator each node has such a change.
    const isSame = isSamePlacement(known.feedNode, reported);
    known.update(reported, nowMs);
    known.catchUp(reported, nowMs);
    this.#place(known);
    if (!isSame) this.#reshape(known);
    this.refresh(known, nowMs);
    if (!wasStopped && isStopped(known.contexts)) this.#listener?.onStopped(known);
    if (known.setDrainTime(reported.drainMs, nowMs)) this.#listener?.onDrainTime(known);
  }

  #place(node: ClusterNode): void {
    this.balancer(node.balancer).setHome(node);
    this.#byIndex.set(node.index, node);
    this.#unconfirmed.delete(node);
  }

  /** The table must be built again, with other contexts of `node`. */
  #reshape(node: ClusterNode): void {
    this.#changed.add(node.id);
    this.#isDirty = true;
  }

  #retire(node: ClusterNode, nowMs: number, cause: GoneCause): void {
    node.isGone = true;
    node.goneCause = cause;
    node.refresh(nowMs);
    this.nodes.delete(node.id);
    this.#unconfirmed.delete(node);
    if (this.#byIndex.get(node.index) === node) this.#byIndex.delete(node.index);
    const balancer = this.balancer(node.balancer);
    balancer.vacate(node);
    balancer.leave(node);
    balancer.outliers.forget(node);
    this.#stand(node, nowMs);
    this.#reshape(node);
    this.#hasOtherMembers = true;
    this.#listener?.onGone(node);
  }

  /** Drops a balancer that the coordinator has forgotten, once it has no known route. */
  #forgetBalancer(name: BalancerName): void {
    if (!this.#forgotten.has(name) || (this.balancers.get(name)?.routes.size ?? 0) > 0) return;
    this.#forgotten.delete(name);
    this.balancers.delete(name);
    this.#shares.delete(name);
  }

  #configure(settings: FeedBalancer, nowMs: number): void {
    this.#forgotten.delete(settings.name);
    const balancer = this.balancer(settings.name);
    const isOtherIdle = balancer.settings.sessionIdleMs !== settings.sessionIdleMs;
    balancer.configure(settings);
    if (!isOtherIdle) return;
    for (const node of this.nodes.values())
      if (node.balancer === settings.name) node.sessions.setIdleMs(settings.sessionIdleMs, nowMs);
  }

  #settle(isSettled: boolean, learningMs: number, nowMs: number): void {
    this.isSettled = isSettled;
    this.learningUntilMs = nowMs + learningMs;
    if (isSettled) for (const node of [...this.#unconfirmed]) this.#retire(node, nowMs, 'expired');
    if (learningMs === 0)
      for (const { routes } of this.balancers.values()) for (const known of routes.values()) known.isExpected = false;
    this.#listener?.onChange();
  }

  /** A settled snapshot is complete: routes and balancers that it does not name are dropped. */
  #forgetUnnamed(remembered: readonly FeedRememberedRoute[], named: readonly FeedBalancer[], nowMs: number): void {
    for (const node of [...this.#unconfirmed]) this.#retire(node, nowMs, 'expired');
    const kept = new Set(remembered.map(({ balancer, route }) => `${balancer} ${route}`));
    const names = new Set(named.map(({ name }) => name));
    for (const { name, routes } of this.balancers.values()) {
      for (const { route, node } of routes.values())
        if (node === undefined && !kept.has(`${name} ${route}`)) routes.delete(route);
      if (names.has(name)) continue;
      this.#forgotten.add(name);
      this.#forgetBalancer(name);
    }
  }

  /** Reports to the algorithms of every context of the node, to each once. */
  #tellReport(node: ClusterNode, report: NodeReport, nowMs: number): void {
    const heard = new Set<Placement>();
    // A context on several hosts has one placement for all of them.
    for (const { attached } of this.#table.contextsOf(node.id)) {
      if (heard.has(attached)) continue;
      heard.add(attached);
      attached.algorithm.onReport?.(node, report, nowMs);
    }
  }

  #tellAlgorithms(): void {
    const members = new Map<Placement, ClusterNode[]>();
    const paths = new Map<BalancerView, Set<ContextPath>>();
    for (const context of this.#table.contexts) {
      const placement = context.attached;
      const known = members.get(placement);
      // A context on several hosts adds the same nodes more than once, which is harmless.
      if (known) known.push(...context.members);
      else members.set(placement, [...context.members]);
      const ofBalancer = paths.get(placement.balancer) ?? new Set();
      paths.set(placement.balancer, ofBalancer.add(placement.path));
    }
    for (const [{ algorithm }, nodes] of members) algorithm.onMembership?.(nodes);
    for (const balancer of this.balancers.values()) balancer.retainPlacements(paths.get(balancer) ?? new Set());
  }
}

/** True when none of the contexts takes any request. */
export function isStopped(contexts: readonly FeedContext[]): boolean {
  return contexts.every(({ status }) => status === 'stopped');
}

/** A number of `loads`; NaN if it is absent. */
function reported(value: number): number {
  return value >= 0 ? value : Number.NaN;
}

/** The node as in the feed, with its load as known to this worker at `nowMs`. */
function feedNodeOf(
  { feedNode, index, live, upAtMs, reportedAtMs, hasToldSessions, drainsUntilMs }: ClusterNode,
  nowMs: number,
): FeedNode {
  return newFeedNode({
    ...feedNode,
    index: Math.max(0, index),
    ageMs: Number.isFinite(upAtMs) ? nowMs - upAtMs : undefined,
    load: live.load >= 0 ? live.load : undefined,
    sessions: hasToldSessions ? live.sessions : undefined,
    loadAgeMs: Number.isFinite(reportedAtMs) ? nowMs - reportedAtMs : undefined,
    drainMs: Number.isFinite(drainsUntilMs) ? Math.max(0, drainsUntilMs - nowMs) : undefined,
  });
}
