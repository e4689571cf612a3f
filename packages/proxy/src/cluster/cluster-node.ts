import {
  type EjectionState,
  type HeardFacts,
  isAdmitted,
  type LiveNumbers,
  type MemberNode,
  NOT_EJECTED,
  NodeSessions,
  NodeWatch,
  newLiveNumbers,
  type SessionVerdict,
  type Tier,
  tierOf,
} from '@rollcall/core';
import { contextsOf, type FeedContext, type FeedNode, type NodeReach, type SessionSample } from '@rollcall/feed';
import {
  type BalancerName,
  type ContextPath,
  type GoneCause,
  type GroupName,
  type HostPattern,
  type NodeId,
  type NodeUrl,
  nodeAddress,
  type Route,
} from '@rollcall/protocol';
import { type LiveBalancerCounters, newUpstreamCounters, type UpstreamCounters } from '../engine/counters.ts';
import type { UpstreamNode } from '../engine/router.ts';
import { comparableAuthority } from '../http1/authority.ts';

/**
 * A change repeats the last report of the node, and its age varies with the time of transmission. A report that is newer by at
 * most this many milliseconds is the same report.
 */
const SAME_REPORT_MS = 100;
/** Factor of the slow start of a flapping node. */
const FLAPPING_RAMP_FACTOR = 2;
/** Smaller changes of the deadline of a drain are differences of the time that a message takes, milliseconds. */
const DRAIN_TIME_ERROR_MS = 250;

/** State that another object for the same id at another address takes over. */
export interface CarriedCounters {
  readonly counters: UpstreamCounters;
  readonly sessions: NodeSessions;
}

/**
 * One node as known to this worker: the state from the feed, and the observations of the worker. The object lives as long as
 * the node has its id, balancer and address, and survives every swap of the context table.
 */
export class ClusterNode implements UpstreamNode, MemberNode {
  readonly id: NodeId;
  readonly balancer: BalancerName;
  readonly url: NodeUrl;
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
  readonly isAjp: boolean;
  readonly authority: string;
  /** The same as `comparableAuthority`, to recognise redirects to it. */
  readonly comparable: string;
  readonly live: LiveNumbers;
  readonly counters: UpstreamCounters;
  /** Sessions of its present process. */
  sessions: NodeSessions;
  /** The node as the feed has sent it last; `index` may be older than this one. */
  feedNode: FeedNode;
  /** Refers to the node in `loads`; -1 until the feed of this epoch has sent the node. */
  index!: number;
  /** Addresses that the node may have. */
  reach!: NodeReach | undefined;
  route!: Route;
  group!: GroupName | undefined;
  hosts!: readonly HostPattern[];
  contexts!: readonly FeedContext[];
  weight!: number;
  cores!: number;
  /** Liveness as known to this worker; a new object for each process. */
  watch: NodeWatch;
  tier: Tier | undefined;
  verdict: SessionVerdict;
  upAtMs: number;
  /** The slow start of a flapping node is twice as long. */
  rampFactor!: number;
  keepAliveMs!: number | undefined;
  readsLoadField!: boolean;
  stripsPrefix!: boolean;
  redirectTo!: NodeId | undefined;
  ejection: EjectionState = NOT_EJECTED;
  /** Why it was ejected last, to follow "because"; `''` before the first ejection. */
  ejectionReason = '';
  drainsUntilMs: number = Number.POSITIVE_INFINITY;
  tlsProblem: string | undefined;
  /** True when the number of sessions has been reported. Until then the count of this worker is used. */
  hasToldSessions = false;
  /** Instant of the last report with load or sessions, -Infinity before the first. */
  reportedAtMs: number = Number.NEGATIVE_INFINITY;
  /** Sessions that other workers have counted and this one has not. */
  #sessionsElsewhere = 0;
  /** Left, expired, removed or moved to another address: the node receives no more requests. */
  isGone = false;
  /** Reason, once the node is gone. */
  goneCause: GoneCause = 'expired';

  constructor(node: FeedNode, upAtMs: number, carried: CarriedCounters, nowMs: number) {
    const { isTls, isAjp, host, port } = nodeAddress(node.url);
    this.id = node.id;
    this.balancer = node.balancer;
    this.url = node.url;
    this.host = host;
    this.port = port;
    this.isTls = isTls;
    this.isAjp = isAjp;
    this.authority = node.url.slice(node.url.indexOf('//') + 2);
    this.comparable = comparableAuthority(this.authority, '');
    this.counters = carried.counters;
    this.sessions = carried.sessions;
    this.live = newLiveNumbers();
    this.upAtMs = upAtMs;
    this.feedNode = node;
    this.#take(node);
    this.watch = new NodeWatch(heardFacts(node), nowMs);
    this.tier = this.#tier(nowMs);
    this.verdict = this.#verdict(nowMs);
  }

  get takesRequests(): boolean {
    return this.verdict === 'forward';
  }

  /** Out of rotation for new work because of failed requests, errors or latency. */
  get isEjected(): boolean {
    return !isAdmitted(this.ejection);
  }

  /** Updates tier and verdict; returns whether one of them has changed. */
  refresh(nowMs: number): boolean {
    const tier = this.#tier(nowMs);
    const verdict = this.#verdict(nowMs);
    if (tier === this.tier && verdict === this.verdict) return false;
    this.tier = tier;
    this.verdict = verdict;
    return true;
  }

  #tier(nowMs: number): Tier | undefined {
    const { watch } = this;
    if (this.isGone || watch.isDown || watch.isGivenUp) return undefined;
    const port = watch.port(nowMs);
    return tierOf({
      isHeard: watch.isHeard(nowMs),
      isReady: this.feedNode.isReady,
      isReserve: this.feedNode.standby || this.isEjected,
      isReachable: port === 'answers' || port === 'unknown',
      isAnswering: port === 'answers' || (port === 'refused' && watch.isAnswering(nowMs)),
      isRefused: port === 'refused',
    });
  }

  #verdict(nowMs: number): SessionVerdict {
    return this.isGone ? 'move' : this.watch.verdict(nowMs);
  }

  /** True when no context of the node takes new sessions: it is draining or stopped. */
  get isLeaving(): boolean {
    return this.isGone || this.contexts.every(({ status }) => status !== 'enabled');
  }

  /**
   * The drain reaches its deadline in `drainMs`; `undefined`: there is none. Returns whether that is news: each message of the node has the
   * time that is left, and takes some of it itself.
   */
  setDrainTime(drainMs: number | undefined, nowMs: number): boolean {
    const before = this.drainsUntilMs;
    const next = drainMs === undefined ? Number.POSITIVE_INFINITY : nowMs + drainMs;
    const isOver = next <= nowMs && before <= nowMs;
    if (next === before || isOver || Math.abs(next - before) < DRAIN_TIME_ERROR_MS) return false;
    this.drainsUntilMs = next;
    return true;
  }

  /** Path prefix that is taken off its requests under the context `path`; `''` for none. */
  prefixUnder(path: ContextPath): string {
    return this.stripsPrefix && path !== '/' ? path : '';
  }

  /** The fields of `node` that requests read, as fields of this object: its shape does not depend on optional fields. */
  #take(node: FeedNode): void {
    this.feedNode = node;
    this.index = node.index;
    this.reach = node.reach;
    this.route = node.route;
    this.group = node.group;
    this.hosts = node.hosts;
    this.contexts = contextsOf(node);
    this.weight = node.weight;
    this.cores = usableCores(node);
    this.rampFactor = rampFactorOf(node);
    this.keepAliveMs = node.keepAliveMs;
    this.readsLoadField = node.loadHeader;
    this.stripsPrefix = node.stripPrefix;
    this.redirectTo = node.redirectTo;
    this.sessions.countUse(this.isLeaving);
  }

  /** True if `node` is the same process: neither its incarnation nor its instance has changed. */
  isSameProcess({ incarnation, instance }: FeedNode): boolean {
    return incarnation === this.feedNode.incarnation && instance === this.feedNode.instance;
  }

  /** Applies the present state of the feed. A newer incarnation is another process: its ejection and its numbers are reset. */
  update(node: FeedNode, nowMs: number): void {
    if (!this.isSameProcess(node)) {
      this.watch = new NodeWatch(heardFacts(node), nowMs);
      this.ejection = NOT_EJECTED;
      this.upAtMs = nowMs - (node.ageMs ?? 0);
      this.reportedAtMs = Number.NEGATIVE_INFINITY;
      this.live.load = Number.NaN;
      this.live.sessions = Number.NaN;
      this.hasToldSessions = false;
      this.live.placed = 0;
      this.live.latencyMs = Number.NaN;
    }
    this.#take(node);
    this.watch.hear(heardFacts(node), nowMs);
  }

  /**
   * A report of load and sessions; a number that was not reported is `undefined`, NaN or below 0. Placements before it are
   * included in it.
   */
  report(load: number | undefined, sessions: number | undefined, nowMs: number): void {
    if (load !== undefined && load >= 0) {
      this.reportedAtMs = nowMs;
      this.live.load = load;
      this.live.loadAtMs = nowMs;
    }
    if (sessions !== undefined && sessions >= 0) {
      this.reportedAtMs = nowMs;
      this.hasToldSessions = true;
      this.live.sessions = sessions;
      this.live.placed = 0;
    }
  }

  /** Applies the load and sessions of a change, as of the instant of their report, if they are newer than the last report. */
  catchUp({ load, sessions, loadAgeMs = 0 }: FeedNode, nowMs: number): void {
    const toldAtMs = nowMs - loadAgeMs;
    if (toldAtMs > this.reportedAtMs + SAME_REPORT_MS) this.report(load, sessions, toldAtMs);
  }

  /** Takes over sessions that all workers together have seen. */
  adoptSessions(sample: SessionSample, nowMs: number): void {
    const before = this.sessions.count(nowMs);
    this.sessions.adopt(sample, nowMs);
    this.#sessionsElsewhere = Math.max(0, this.#sessionsElsewhere - this.sessions.count(nowMs) + before);
  }

  /** Sessions that all workers together have counted; -1 when this is not more than the count of one worker. */
  reportCounted(counted: number, nowMs: number): void {
    this.#sessionsElsewhere = counted < 0 ? 0 : Math.max(0, counted - this.sessions.count(nowMs));
  }

  /**
   * Uses counted sessions in place of reported ones: the count of this worker, which includes all answered placements, and
   * those of others.
   */
  estimateSessions(nowMs: number): void {
    this.live.sessions = this.sessions.count(nowMs) + this.#sessionsElsewhere;
    this.live.placed = 0;
  }
}

/** Counts of a new node of a balancer. */
export function newCarriedCounters(
  sessionIdleMs: number,
  seed: number,
  balancer: LiveBalancerCounters,
): CarriedCounters {
  return {
    counters: newUpstreamCounters(balancer),
    sessions: new NodeSessions(sessionIdleMs, seed),
  };
}

function rampFactorOf({ flapping }: FeedNode): number {
  return flapping === true ? FLAPPING_RAMP_FACTOR : 1;
}

function heardFacts({ liveness, hasAgent, isConnected, probe, silentMs = 0 }: FeedNode): HeardFacts {
  return {
    isUp: liveness === 'up',
    isDown: liveness === 'down',
    hasAgent,
    isConnected,
    provesInstance: probe === 'proof',
    silentMs,
  };
}

function usableCores({ cores }: FeedNode): number {
  return cores !== undefined && cores > 0 ? cores : 1;
}
