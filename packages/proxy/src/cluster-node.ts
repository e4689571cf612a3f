import {
  ActiveSessions,
  type EjectionState,
  type HeardFacts,
  isAdmitted,
  type LiveNumbers,
  type MemberNode,
  NOT_EJECTED,
  NodeWatch,
  newLiveNumbers,
  type SessionVerdict,
  type Tier,
  tierOf,
} from '@rollcall/core';
import {
  type BalancerName,
  type FeedContext,
  type FeedLiveness,
  type FeedNode,
  type GoneCause,
  type GroupName,
  type HostPattern,
  type NodeId,
  type NodeReach,
  type NodeUrl,
  nodeAddress,
  type ProbeKind,
  type Route,
} from '@rollcall/protocol';
import type { NodeTally, UpstreamNode } from './routing.ts';

/**
 * A change repeats the numbers a node told last: newer than what is known by no more than this, milliseconds, they are the
 * same, and only the way took longer.
 */
const SAME_REPORT_MS = 100;
/** How many times as long the slow start of a flapping node lasts. */
const FLAPPING_RAMP_FACTOR = 2;

/** What is remembered of a node when another object takes its place: the same id at another address. */
export interface CarriedCounts {
  readonly tally: NodeTally;
  readonly sessions: ActiveSessions;
}

/**
 * One node as this worker knows it: what the feed tells, and what the worker sees itself. The object lives as long as
 * the node has its id, balancer and address, and survives every swap of the context table.
 */
export class ClusterNode implements UpstreamNode, MemberNode {
  readonly id: NodeId;
  readonly balancer: BalancerName;
  readonly url: NodeUrl;
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
  readonly authority: string;
  readonly live: LiveNumbers;
  readonly tally: NodeTally;
  /** Those of its present process. */
  sessions: ActiveSessions;
  /** Refers to the node in `loads`; -1 while the feed of this epoch has not told of it. */
  index: number;
  /** Where its address may point, by who registered it. */
  reach: NodeReach | undefined;
  route: Route;
  group: GroupName | undefined;
  hosts: readonly HostPattern[];
  contexts: readonly FeedContext[];
  weight: number;
  cores: number;
  isStandby: boolean;
  incarnation: number;
  instance: string;
  liveness: FeedLiveness;
  isReady: boolean;
  hasAgent: boolean;
  isConnected: boolean;
  silentMs: number;
  probe: ProbeKind;
  probePath: string;
  /** What this worker knows of its life; a new one for each process. */
  watch: NodeWatch;
  tier: Tier | undefined;
  verdict: SessionVerdict;
  upAtMs: number;
  /** Twice as long a slow start for a node that comes and goes. */
  rampFactor: number;
  keepAliveMs: number | undefined;
  readsLoadField: boolean;
  redirectTo: NodeId | undefined;
  /** Where clients may reach the node directly. */
  publicUrl: string | undefined;
  ejection: EjectionState = NOT_EJECTED;
  tlsProblem: string | undefined;
  /** True once somebody has told how many sessions the node has; until then the worker's own count stands in. */
  hasToldSessions = false;
  /** Instant of the last report with load or sessions, -Infinity before the first. */
  reportedAtMs: number = Number.NEGATIVE_INFINITY;
  /** Sessions that other workers see and this one does not. */
  #sessionsElsewhere = 0;
  /** Left, expired, removed or moved to another address: takes nothing from now on. */
  isGone = false;
  /** Why, once it is gone. */
  goneCause: GoneCause = 'expired';

  constructor(node: FeedNode, upAtMs: number, counts: CarriedCounts, nowMs: number) {
    const { isTls, host, port } = nodeAddress(node.url);
    this.id = node.id;
    this.balancer = node.balancer;
    this.url = node.url;
    this.host = host;
    this.port = port;
    this.isTls = isTls;
    this.authority = node.url.slice(node.url.indexOf('//') + 2);
    this.tally = counts.tally;
    this.sessions = counts.sessions;
    this.live = newLiveNumbers();
    this.upAtMs = upAtMs;
    this.rampFactor = rampFactorOf(node);
    this.index = node.index;
    this.reach = node.reach;
    this.route = node.route;
    this.group = node.group;
    this.hosts = node.hosts;
    this.contexts = node.contexts;
    this.weight = node.weight;
    this.cores = usableCores(node);
    this.isStandby = node.standby;
    this.incarnation = node.incarnation;
    this.instance = node.instance ?? '';
    this.liveness = node.liveness;
    this.isReady = node.isReady;
    this.hasAgent = node.hasAgent;
    this.isConnected = node.isConnected;
    this.silentMs = node.silentMs ?? 0;
    this.probe = node.probe;
    this.probePath = node.probePath ?? '/';
    this.keepAliveMs = node.keepAliveMs;
    this.readsLoadField = node.loadHeader;
    this.redirectTo = node.redirectTo;
    this.publicUrl = node.publicUrl;
    this.watch = new NodeWatch(heardFacts(node), nowMs);
    this.tier = this.#tier(nowMs);
    this.verdict = this.#verdict(nowMs);
  }

  get takesRequests(): boolean {
    return this.verdict === 'forward';
  }

  /** Out of rotation for new work because of what its requests came to. */
  get isEjected(): boolean {
    return !isAdmitted(this.ejection);
  }

  /** Brings tier and verdict up to date; returns whether one of them has changed. */
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
      isReady: this.isReady,
      isReserve: this.isStandby || this.isEjected,
      isReachable: port === 'answers' || port === 'unknown',
      isAnswering: port === 'answers' || (port === 'refused' && watch.isAnswering(nowMs)),
      isRefused: port === 'refused',
    });
  }

  #verdict(nowMs: number): SessionVerdict {
    return this.isGone ? 'move' : this.watch.verdict(nowMs);
  }

  /** True when every context of the node takes no new sessions: it drains, or it is stopped. */
  get isLeaving(): boolean {
    return this.isGone || this.contexts.every(({ status }) => status !== 'enabled');
  }

  /** Takes over what the feed tells now. A newer incarnation is another process: nothing is held against it. */
  update(node: FeedNode, nowMs: number): void {
    const instance = node.instance ?? '';
    if (node.incarnation !== this.incarnation || instance !== this.instance) {
      this.incarnation = node.incarnation;
      this.instance = instance;
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
    this.index = node.index;
    this.reach = node.reach;
    this.route = node.route;
    this.group = node.group;
    this.hosts = node.hosts;
    this.contexts = node.contexts;
    this.weight = node.weight;
    this.cores = usableCores(node);
    this.isStandby = node.standby;
    this.rampFactor = rampFactorOf(node);
    this.liveness = node.liveness;
    this.isReady = node.isReady;
    this.hasAgent = node.hasAgent;
    this.isConnected = node.isConnected;
    this.silentMs = node.silentMs ?? 0;
    this.probe = node.probe;
    this.probePath = node.probePath ?? '/';
    this.keepAliveMs = node.keepAliveMs;
    this.readsLoadField = node.loadHeader;
    this.redirectTo = node.redirectTo;
    this.publicUrl = node.publicUrl;
    this.watch.hear(heardFacts(node), nowMs);
  }

  /** A report of load and sessions; what is not told is `undefined`, NaN or below 0. Placements before it are counted in it. */
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

  /** What the feed repeats beside other things: taken when it is newer than what was reported last, as of when it was told. */
  catchUp({ load, sessions, loadAgeMs = 0 }: FeedNode, nowMs: number): void {
    const toldAtMs = nowMs - loadAgeMs;
    if (toldAtMs > this.reportedAtMs + SAME_REPORT_MS) this.report(load, sessions, toldAtMs);
  }

  /** What all workers together have counted; -1 when that is no more than one of them sees. */
  reportCounted(counted: number, nowMs: number): void {
    this.#sessionsElsewhere = counted < 0 ? 0 : Math.max(0, counted - this.sessions.count(nowMs));
  }

  /** Counted sessions in place of told ones: the worker's own, which contain all placements that were answered, and others'. */
  estimateSessions(nowMs: number): void {
    this.live.sessions = this.sessions.count(nowMs) + this.#sessionsElsewhere;
    this.live.placed = 0;
  }
}

/** Counts of a node that was never seen before. */
export function newCounts(sessionIdleMs: number, seed: number): CarriedCounts {
  return {
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
    sessions: new ActiveSessions(sessionIdleMs, seed),
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
