import type { NodeId } from '@rollcall/protocol';
import type { Rng } from '../rng.ts';
import type { Algorithm, AttemptOutcome, Candidate, NodeReport, PickRequest } from './algorithm.ts';
import { FairShare } from './fair-share.ts';
import { LeastTree } from './least-tree.ts';
import { type Estimate, queueOf, ServiceEstimates, waitOf } from './service-estimate.ts';
import {
  type ClusterTerms,
  costWeights,
  MAX_COST,
  type NodeTerms,
  sessionCost,
  sessionsPerWeight,
  slownessOf,
  waitLimit,
} from './session-cost.ts';
import { SteadyNodes, sessionsOf, smoothing } from './steady-nodes.ts';

/**
 * The nodes are measured again after this time per node, milliseconds, at most after `MAX_MEASURE_MS`. Smaller sees queues and changes
 * of other workers sooner, and takes more time. Scenario: `sticky` without load reports.
 */
const MEASURE_MS_PER_NODE = 1;
const MAX_MEASURE_MS = 100;
/**
 * Time over which the mean queue of all nodes is smoothed, milliseconds. Smaller follows single requests, larger sees a burst later.
 * Scenarios: `sticky`, `short-lives`.
 */
const QUEUE_MS = 200;
/** A rank comes before every cost, also with its noise. */
const RANK = 10 * MAX_COST;
/**
 * Costs this close, as a ratio, are equal, and chance decides; far less than the difference by one session. Without it all workers take
 * the first one of equal nodes. Scenario: `sticky`, worst seed.
 */
const TIE_RATIO = 1e-9;

/**
 * The default for new sessions: the node where one more session costs least (`sessionCost`), among the nodes that answer about as
 * fast as the rest.
 *
 * A node whose wait (`waitOf`) is above twice the median plus 10 ms gets no session while others are below that limit. After a
 * join shares are limited (`FairShare`). With equal weights and few logins, nodes differ by at most one session.
 *
 * The load is the reported one, smoothed over ten seconds. If no node reports its load, service time by answers is used instead.
 *
 * Exact over any number of nodes without visiting all of them. A winner tree holds the costs, so a pick takes the logarithm of their
 * number. All are computed anew after a millisecond per node, at least ten times a second, and after as many picks as nodes.
 * Reports of nodes and other workers count from then on. In between only the cost of the node that got a session changes. A pick
 * takes 0.4 µs with two nodes and 0.6 µs with a thousand.
 *
 * @see mod_cluster MODCLUSTER-527: at a low login rate its rule sends every login to the same node.
 */
export function session({ rng }: { readonly rng: Rng }): Algorithm {
  return new SessionPlacement(rng);
}
class SessionPlacement implements Algorithm {
  readonly name = 'session';
  readonly #rng: Rng;
  readonly #estimates = new ServiceEstimates();
  readonly #shares = new FairShare();
  readonly #tree = new LeastTree();
  readonly #steady = new SteadyNodes();
  /** By place in the list of candidates, as last measured. */
  #nodes: Candidate[] = [];
  /** By place: `NodeTerms.slowness`, `load`, `loadSessions` and `queue`. */
  #slowness = new Float64Array(0);
  #load = new Float64Array(0);
  #loadSessions = new Float64Array(0);
  #queue = new Float64Array(0);
  #isOverLimit = new Uint8Array(0);
  /** Only for `#measure`; kept because two nodes are measured at every other pick. */
  #serviceMs = new Float64Array(0);
  #waits = new Float64Array(0);
  #sorted = new Float64Array(0);
  #measuredAtMs = Number.NEGATIVE_INFINITY;
  /** Picks since the last measurement. */
  #picks = 0;
  /** Place of the node picked last, which may have one more session by now; -1: no node. */
  #last = -1;
  #all: ClusterTerms = { ...costWeights(0, 0), meanSessions: 1, meanLoad: 1, loadPerSession: 0 };
  /** Only for `#cost`; kept because each pick computes a cost. */
  readonly #node: Mutable<NodeTerms> = { weight: 1, sessions: 0, load: 0, loadSessions: 0, slowness: 1, queue: 0 };
  #totalWeight = 1;
  /** Mean queue over the nodes, at most 1 of each, smoothed. */
  #meanQueue = 0;

  constructor(rng: Rng) {
    this.#rng = rng;
  }

  pick<C extends Candidate>(candidates: readonly C[], request: PickRequest, tried: ReadonlySet<NodeId>): C | undefined {
    const { nowMs } = request;
    const { length } = candidates;
    if (length === 0) return undefined;
    if (length === 1) return tried.has(candidates[0]!.id) ? undefined : candidates[0];
    this.#keepUp(candidates, nowMs);
    const place = this.#tree.least;
    const least = candidates[place]!;
    const isFree = tried.size === 0 || !tried.has(least.id);
    const picked = isFree ? place : this.#bestUntried(candidates, tried);
    if (picked < 0) return undefined;
    if (request.trace !== undefined) this.#report(candidates, request, tried);
    this.#last = picked;
    this.#picks++;
    const node = candidates[picked]!;
    if (this.#shares.isLimited(nowMs)) this.#shares.place(node);
    return node;
  }

  /** Updates the tree as far as this pick needs it. */
  #keepUp(candidates: readonly Candidate[], nowMs: number): void {
    const { length } = candidates;
    const ageMs = nowMs - this.#measuredAtMs;
    const isFresh = ageMs >= 0 && ageMs < Math.min(MAX_MEASURE_MS, MEASURE_MS_PER_NODE * length);
    // With many logins at once a tenth of a second is long. A node over its share is within it again when the others have theirs.
    const hasMoved = this.#picks >= length;
    if (!isFresh || hasMoved || length !== this.#nodes.length) this.#measure(candidates, nowMs);
    else if (this.#last >= 0) {
      const last = candidates[this.#last]!;
      this.#queue[this.#last] = queueNow(last, this.#estimates.of(last.id), nowMs);
      this.#put(candidates, this.#last, nowMs);
    }
    // The list has changed in place since it was measured.
    if (this.#nodes[this.#tree.least] !== candidates[this.#tree.least]) this.#measure(candidates, nowMs);
  }

  #put(candidates: readonly Candidate[], place: number, nowMs: number): void {
    this.#tree.set(place, this.#rank(candidates[place]!, place, nowMs, 1 + TIE_RATIO * this.#rng()));
  }

  /** Orders by share, then by wait, then by cost × `noise`. Lower is better. */
  #rank(candidate: Candidate, place: number, nowMs: number, noise = 1): number {
    const rank = (this.#isOverShare(candidate, nowMs) ? 2 : 0) + this.#isOverLimit[place]!;
    return rank * RANK + this.#cost(candidate, place) * noise;
  }

  /** Place of the best node that was not tried; -1: all were tried. Retries are rare and may visit all nodes. */
  #bestUntried(candidates: readonly Candidate[], tried: ReadonlySet<NodeId>): number {
    let best = -1;
    for (let place = 0; place < candidates.length; place++) {
      if (tried.has(candidates[place]!.id)) continue;
      if (best < 0 || this.#tree.key(place) < this.#tree.key(best)) best = place;
    }
    return best;
  }

  /** Reports the keys that the pick compared. */
  #report(candidates: readonly Candidate[], { trace, nowMs }: PickRequest, tried: ReadonlySet<NodeId>): void {
    for (const [place, candidate] of candidates.entries())
      if (!tried.has(candidate.id))
        trace?.compared(candidate, this.#tree.key(place), this.#rankReason(candidate, place, nowMs));
  }

  #isOverShare(candidate: Candidate, nowMs: number): boolean {
    return this.#shares.isLimited(nowMs) && !this.#shares.hasRoom(candidate, this.#totalWeight, nowMs);
  }

  #rankReason(candidate: Candidate, place: number, nowMs: number): string {
    if (this.#isOverShare(candidate, nowMs)) return 'it has its share of the new sessions since the last join';
    return this.#isOverLimit[place] === 1 ? 'requests wait longer at it than at the other nodes' : '';
  }

  onResponse(candidate: Candidate, outcome: AttemptOutcome, latencyMs: number, nowMs: number): void {
    this.#estimates.learn(candidate, outcome, latencyMs, nowMs);
  }

  onReport(candidate: Candidate, report: NodeReport, nowMs: number): void {
    this.#estimates.hear(candidate, report, nowMs);
  }

  onMembership(candidates: readonly Candidate[]): void {
    this.#estimates.retain(candidates);
    this.#steady.retain(candidates);
    this.#measuredAtMs = Number.NEGATIVE_INFINITY;
  }

  /**
   * Cost of one more session, without unit: 1 is about the mean; far more for a node over the wait limit or over its share. A node that no
   * pick has measured yet counts by its sessions.
   */
  score(candidate: Candidate, { nowMs }: PickRequest): number {
    const place = this.#nodes.indexOf(candidate);
    return place >= 0
      ? this.#rank(candidate, place, nowMs)
      : sessionsPerWeight(sessionsOf(candidate.live), candidate.weight) / this.#all.meanSessions;
  }

  scoreReason(candidate: Candidate, { nowMs }: PickRequest): string {
    const place = this.#nodes.indexOf(candidate);
    return place >= 0 ? this.#rankReason(candidate, place, nowMs) : '';
  }

  wait(candidate: Candidate, nowMs: number): number {
    const estimate = this.#estimates.of(candidate.id);
    const queue = 1 + queueOf(candidate, estimate, nowMs);
    const wait = waitOf(this.#estimates.costOf(estimate, nowMs), queue) / candidate.weight;
    return wait > 0 && wait <= Number.MAX_VALUE ? wait : Number.MAX_VALUE;
  }

  #cost({ weight, live }: Candidate, place: number): number {
    const node = this.#node;
    node.weight = weight;
    node.sessions = sessionsOf(live);
    node.load = this.#load[place]!;
    node.loadSessions = this.#loadSessions[place]!;
    node.slowness = this.#slowness[place]!;
    node.queue = this.#queue[place]!;
    return sessionCost(node, this.#all);
  }

  /** Stores the node at each place, and resizes the arrays. */
  #list(candidates: readonly Candidate[]): void {
    const { length } = candidates;
    if (length !== this.#nodes.length) {
      this.#slowness = new Float64Array(length);
      this.#load = new Float64Array(length);
      this.#loadSessions = new Float64Array(length);
      this.#queue = new Float64Array(length);
      this.#isOverLimit = new Uint8Array(length);
      this.#serviceMs = new Float64Array(length);
      this.#waits = new Float64Array(length);
      this.#sorted = new Float64Array(length);
      this.#tree.reset(length);
      this.#nodes.length = length;
    }
    for (let i = 0; i < length; i++) this.#nodes[i] = candidates[i]!;
  }

  /** Computes means and medians over the candidates, then wait limit and cost of each. */
  #measure(candidates: readonly Candidate[], nowMs: number): void {
    const { length } = candidates;
    this.#list(candidates);
    const passedMs = Math.max(0, nowMs - this.#measuredAtMs);
    this.#measuredAtMs = nowMs;
    this.#picks = 0;
    this.#last = -1;
    this.#shares.observe(candidates, nowMs);
    const isTold = candidates.some(({ live }) => live.load >= 0);
    const serviceMs = this.#serviceMs;
    const waits = this.#waits;
    let [load, loads, queue, weight] = [0, 0, 0, 0];
    for (let i = 0; i < length; i++) {
      const candidate = candidates[i]!;
      const estimate = this.#estimates.of(candidate.id);
      const queued = queueNow(candidate, estimate, nowMs);
      const costMs = this.#estimates.costOf(estimate, nowMs);
      this.#queue[i] = queued;
      waits[i] = waitOf(costMs, 1 + queued);
      const steady = this.#steady.of(candidate, { costMs, answers: estimate.answers, isTold }, nowMs);
      serviceMs[i] = Math.exp(steady.logCost);
      this.#load[i] = steady.load;
      this.#loadSessions[i] = steady.sessions;
      if (steady.load >= 0) {
        load += steady.load;
        loads++;
      }
      queue += Math.min(1, queued);
      weight += candidate.weight;
    }
    this.#totalWeight = weight;
    const meanLoad = loads > 0 ? load / loads : 0;
    this.#meanQueue += smoothing(passedMs, QUEUE_MS) * (queue / length - this.#meanQueue);
    const weights = costWeights(meanLoad, this.#meanQueue);
    const medianMs = median(serviceMs, this.#sorted);
    const limit = waitLimit(median(waits, this.#sorted));
    let [sessions, loadSessions, weighted] = [0, 0, 0];
    for (let i = 0; i < length; i++) {
      const { live, weight: ownWeight } = candidates[i]!;
      this.#isOverLimit[i] = waits[i]! > limit ? 1 : 0;
      this.#slowness[i] = slownessOf(serviceMs[i]!, medianMs, weights.speedPower);
      // A load that is not reported counts as the mean.
      if (!(this.#load[i]! >= 0)) this.#load[i] = meanLoad;
      sessions += sessionsPerWeight(sessionsOf(live), ownWeight) * this.#slowness[i]!;
      loadSessions += this.#loadSessions[i]! * this.#slowness[i]!;
      weighted += this.#load[i]! / ownWeight;
    }
    this.#all = {
      ...weights,
      meanSessions: sessions > 0 && sessions <= Number.MAX_VALUE ? sessions / length : 1,
      meanLoad: weighted > 0 ? weighted / length : 1,
      loadPerSession: loadSessions > 0 ? (meanLoad * length) / loadSessions : 0,
    };
    for (let i = 0; i < length; i++) this.#put(candidates, i, nowMs);
  }
}

type Mutable<Terms> = { -readonly [Key in keyof Terms]: Terms[Key] };

/** Requests at a node per core; a negative number or NaN counts as 0. */
function queueNow(candidate: Candidate, estimate: Estimate, nowMs: number): number {
  const queue = queueOf(candidate, estimate, nowMs);
  return Number.isNaN(queue) ? 0 : Math.max(0, queue);
}

/** The upper median. `sorted` must be as long as `values`, and contains them in order afterwards. */
function median(values: Float64Array, sorted: Float64Array): number {
  sorted.set(values);
  sorted.sort();
  return sorted[sorted.length >> 1]!;
}
