import type { NodeId } from '@rollcall/protocol';
import type { Rng } from '../rng.ts';
import type { Algorithm, AttemptOutcome, Candidate, NodeReport, PickRequest } from './algorithm.ts';
import { FairShare } from './fair-share.ts';
import { LeastTree } from './least-tree.ts';
import { type Estimate, queueOf, ServiceEstimates, waitOf } from './service-estimate.ts';
import { SteadyNodes, sessionsOf, smoothing } from './steady-nodes.ts';

/** A node whose wait is above this many medians gets no new sessions while there are others. */
const GUARD_RATIO = 2;
/** Differences of this many milliseconds are noise and bar nobody. */
const NOISE_MS = 10;
/** Medians and means are reckoned again after so much time for each node, and at least ten times a second. */
const MEASURE_MS_PER_NODE = 1;
const MAX_MEASURE_MS = 100;
/** Time over which the queue of all is smoothed. */
const QUEUE_MS = 200;
/** A slow node counts at most this much against a typical one, a fast one for as much. */
const MAX_SPEED_RATIO = 16;
/** From this part of the time at work on, speeds count in full; less while nodes are idle, when they are noise. */
const BUSY = 0.3;
/** Nodes that are less loaded than this on average are idle: what differs between them is chance. */
const IDLE_LOAD = 0.1;
/** From this load on it weighs most against the number of sessions, and so do requests. */
const FULL_LOAD = 0.6;
const MAX_LOAD_WEIGHT = 0.8;
/**
 * Part of the load of an average session that one counts for as long as the smoothed load does not show it. Larger takes
 * longer to give a joining node the last tenth of its share, smaller gives it more than its share.
 */
const UNSEEN_PART = 0.7;
/** How much less than by its speed a slow node is filled: 0 as any other, 1 by the square of its speed. */
const RELUCTANCE = 0.7;
/** The next session may ask for as much as so many average ones. */
const HEAVY_SESSION = 10;
/**
 * How much denser each request that is at a node makes it, by its cores, when nodes are busy: of those that are about as
 * dense the idle one answers the login at once. Much larger gives nodes that are slow for a moment too few sessions for long.
 */
const REQUEST_PART = 0.1;
/** A node that would be loaded more counts as loaded so. */
const MAX_FULLNESS = 0.99;
/** Densities are finite and far below a rank, so that rank comes before density. */
const MAX_DENSITY = 1e6;
const RANK = 1e7;
/** Densities this close are equal, and chance decides; far less than one session makes. */
const TIE_RATIO = 1e-9;

/**
 * The default for new sessions: the least density of sessions among the nodes that answer about as fast as the rest.
 *
 * Density is the load that a node will have, and the number of its sessions by weight and speed, which counts alone while
 * all are idle: a session is a promise of later requests. The load is as nodes tell it, smoothed over ten seconds, with
 * sessions that have come since; of nodes of which none tells, service time by answers. Two things make a node look denser:
 * slow nodes are filled less than fast ones, because their queues are felt more, and a node that one active session could
 * overload is hardly filled any more: strict sessions cannot leave again. A node whose wait (`waitOf`) is clearly above
 * twice the median gets none as long as others do, and of about equal ones the one gets it that has least to do. After a
 * join shares are limited (`FairShare`). Equal weights come out even to one session when logins are few.
 *
 * Exact over any number of nodes without a look at all of them: a winner tree holds the densities, a pick costs the
 * logarithm of their number. All are reckoned anew after a millisecond for each node, ten times a second at least, and
 * after as many picks as there are nodes, with what nodes and other workers have told since; in between only that of the
 * node that got a session changes. 0.4 µs with two nodes and 0.6 µs with a thousand.
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
  /** By place in the list of candidates, as it was measured last. */
  #nodes: Candidate[] = [];
  /** What a session counts there against a typical node. */
  #slowness = new Float64Array(0);
  #load = new Float64Array(0);
  /** Sessions that `#load` shows. */
  #seen = new Float64Array(0);
  /** Requests at the node, by its cores. */
  #queue = new Float64Array(0);
  #isHot = new Uint8Array(0);
  /** For `#measure` alone; kept because two nodes are measured at every other pick. */
  #costs = new Float64Array(0);
  #waits = new Float64Array(0);
  #sorted = new Float64Array(0);
  #measuredAtMs = Number.NEGATIVE_INFINITY;
  /** Since all were reckoned. */
  #picks = 0;
  /** Place of the node picked last, which may have a session more by now; -1: none. */
  #last = -1;
  #meanCrowd = 1;
  #meanLoad = 1;
  /** Load that a session makes on a typical node. */
  #perSession = 0;
  #loadWeight = 0;
  /** How much denser a request makes its node: nothing while all are idle, when it is chance who has one. */
  #requestPart = 0;
  #totalWeight = 1;
  /** Requests in flight per node, at most 1 of each, smoothed. */
  #queueing = 0;

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
    this.#last = picked;
    this.#picks++;
    const node = candidates[picked]!;
    if (this.#shares.isLimited(nowMs)) this.#shares.place(node);
    return node;
  }

  /** Brings the tree up to date, as far as this pick needs it. */
  #keepUp(candidates: readonly Candidate[], nowMs: number): void {
    const { length } = candidates;
    const ageMs = nowMs - this.#measuredAtMs;
    const isFresh = ageMs >= 0 && ageMs < Math.min(MAX_MEASURE_MS, MEASURE_MS_PER_NODE * length);
    // When all log in at once a tenth of a second is long; and who is over its share is not any more when the others have theirs.
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

  /** Shares before speed before density, this times `noise`. Lower is better. */
  #rank(candidate: Candidate, place: number, nowMs: number, noise = 1): number {
    const isCrowded = this.#shares.isLimited(nowMs) && !this.#shares.hasRoom(candidate, this.#totalWeight, nowMs);
    const rank = (isCrowded ? 2 : 0) + this.#isHot[place]!;
    return rank * RANK + Math.min(MAX_DENSITY, this.#density(candidate, place)) * noise;
  }

  /** Place of the best that was not tried; -1: all were. Retries are rare and may look at all. */
  #bestUntried(candidates: readonly Candidate[], tried: ReadonlySet<NodeId>): number {
    let best = -1;
    for (let place = 0; place < candidates.length; place++) {
      if (tried.has(candidates[place]!.id)) continue;
      if (best < 0 || this.#tree.key(place) < this.#tree.key(best)) best = place;
    }
    return best;
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

  /** Density of sessions, without unit: 1 is about the mean; far more for a node that is hot or over its share. */
  score(candidate: Candidate, { nowMs }: PickRequest): number {
    const place = this.#nodes.indexOf(candidate);
    return place >= 0 ? this.#rank(candidate, place, nowMs) : crowdOf(candidate);
  }

  heat(candidate: Candidate, nowMs: number): number {
    const estimate = this.#estimates.of(candidate.id);
    const queue = 1 + queueOf(candidate, estimate, nowMs);
    const heat = waitOf(this.#estimates.costOf(estimate, nowMs), queue) / candidate.weight;
    return heat > 0 && heat <= Number.MAX_VALUE ? heat : Number.MAX_VALUE;
  }

  #density(candidate: Candidate, place: number): number {
    const slowness = this.#slowness[place]!;
    const perSession = this.#perSession * slowness;
    const unseen = sessionsOf(candidate.live) - this.#seen[place]!;
    const load = Math.max(0, this.#load[place]! + UNSEEN_PART * unseen * perSession);
    const crowd = (crowdOf(candidate) * slowness) / this.#meanCrowd;
    const mixed = (1 - this.#loadWeight) * crowd + (this.#loadWeight * load) / (this.#meanLoad * candidate.weight);
    // Of little weight up to three quarters of the load, and without limit towards all of it.
    const room = 1 - Math.min(MAX_FULLNESS, load + HEAVY_SESSION * perSession) ** 4;
    const density = ((mixed * slowness ** RELUCTANCE) / room) * (1 + this.#requestPart * this.#queue[place]!);
    return Number.isFinite(density) ? density : Number.MAX_VALUE;
  }

  /** Remembers who stands at which place, and has room for as many numbers. */
  #list(candidates: readonly Candidate[]): void {
    const { length } = candidates;
    if (length !== this.#nodes.length) {
      this.#slowness = new Float64Array(length);
      this.#load = new Float64Array(length);
      this.#seen = new Float64Array(length);
      this.#queue = new Float64Array(length);
      this.#isHot = new Uint8Array(length);
      this.#costs = new Float64Array(length);
      this.#waits = new Float64Array(length);
      this.#sorted = new Float64Array(length);
      this.#tree.reset(length);
      this.#nodes.length = length;
    }
    for (let i = 0; i < length; i++) this.#nodes[i] = candidates[i]!;
  }

  /** Means and medians over the candidates, against which guard and density are reckoned. */
  #measure(candidates: readonly Candidate[], nowMs: number): void {
    const { length } = candidates;
    this.#list(candidates);
    const passedMs = Math.max(0, nowMs - this.#measuredAtMs);
    this.#measuredAtMs = nowMs;
    this.#picks = 0;
    this.#last = -1;
    this.#shares.observe(candidates, nowMs);
    const isTold = candidates.some(({ live }) => live.load >= 0);
    const costs = this.#costs;
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
      costs[i] = Math.exp(steady.logCost);
      this.#load[i] = steady.load;
      this.#seen[i] = steady.sessions;
      if (steady.load >= 0) {
        load += steady.load;
        loads++;
      }
      queue += Math.min(1, queued);
      weight += candidate.weight;
    }
    this.#totalWeight = weight;
    const meanLoad = loads > 0 ? load / loads : 0;
    this.#loadWeight = MAX_LOAD_WEIGHT * idleToFull(meanLoad);
    this.#queueing += smoothing(passedMs, QUEUE_MS) * (queue / length - this.#queueing);
    // Queues tell at once that many come at the same time, loads tell it seconds later.
    const busy = Math.max(meanLoad, this.#queueing);
    const speedWeight = Math.min(1, busy / BUSY);
    this.#requestPart = REQUEST_PART * idleToFull(busy);
    const typicalMs = median(costs, this.#sorted);
    const guard = GUARD_RATIO * median(waits, this.#sorted) + NOISE_MS;
    let [crowd, seen, weighted] = [0, 0, 0];
    for (let i = 0; i < length; i++) {
      const candidate = candidates[i]!;
      this.#isHot[i] = waits[i]! > guard ? 1 : 0;
      const ratio = Math.min(MAX_SPEED_RATIO, Math.max(1 / MAX_SPEED_RATIO, costs[i]! / typicalMs));
      this.#slowness[i] = ratio ** speedWeight;
      // A load that is not told counts as the mean.
      if (!(this.#load[i]! >= 0)) this.#load[i] = meanLoad;
      crowd += crowdOf(candidate) * this.#slowness[i]!;
      seen += this.#seen[i]! * this.#slowness[i]!;
      weighted += this.#load[i]! / candidate.weight;
    }
    this.#meanCrowd = crowd > 0 && crowd <= Number.MAX_VALUE ? crowd / length : 1;
    this.#meanLoad = weighted > 0 ? weighted / length : 1;
    this.#perSession = seen > 0 ? (meanLoad * length) / seen : 0;
    for (let i = 0; i < length; i++) this.#put(candidates, i, nowMs);
  }
}

/** Sessions by weight, with one more. */
function crowdOf({ live, weight }: Candidate): number {
  return (sessionsOf(live) + 1) / weight;
}

/** Requests at a node by its cores; a number that makes no sense counts as none. */
function queueNow(candidate: Candidate, estimate: Estimate, nowMs: number): number {
  const queue = queueOf(candidate, estimate, nowMs);
  return Number.isNaN(queue) ? 0 : Math.max(0, queue);
}

/** 0 up to `IDLE_LOAD`, 1 from `FULL_LOAD` on. */
function idleToFull(load: number): number {
  return Math.min(1, Math.max(0, (load - IDLE_LOAD) / (FULL_LOAD - IDLE_LOAD)));
}

/** `sorted` is as long as `values`, and has them in order afterwards. */
function median(values: Float64Array, sorted: Float64Array): number {
  sorted.set(values);
  sorted.sort();
  return sorted[sorted.length >> 1]!;
}
