import type { NodeId } from '@rollcall/protocol';
import type { Rng } from '../rng.ts';
import type { Algorithm, AttemptOutcome, Candidate, NodeReport, PickRequest } from './algorithm.ts';
import { FairShare } from './fair-share.ts';
import { LeastTree } from './least-tree.ts';
import { type Estimate, queueOf, ServiceEstimates } from './service-estimate.ts';

/** A node whose score is above this many medians gets no new sessions while there are others. */
const GUARD_RATIO = 2;
/** Differences of this many milliseconds are noise and bar nobody. */
const NOISE_MS = 10;
/** Medians and means are reckoned again after this time. */
const MEASURE_MS = 100;
/** A slow node counts at most this much against a typical one, a fast one for as much. */
const MAX_SPEED_RATIO = 16;
/** From this part of the time at work on, speeds count in full; less while nodes are idle, when they are noise. */
const BUSY = 0.3;
/** Nodes that are less loaded than this on average are idle: what differs between them is chance. */
const IDLE_LOAD = 0.1;
/** Most that the load weighs against the number of sessions; less while nodes are idle. */
const MAX_LOAD_WEIGHT = 0.5;
/** Densities are finite and far below a rank, so that rank comes before density. */
const MAX_DENSITY = 1e6;
const RANK = 1e7;
/** Densities this close are equal, and chance decides; far less than one session makes. */
const TIE_RATIO = 1e-9;

/**
 * The default for new sessions: the least density of sessions among the nodes that answer about as fast as the rest.
 *
 * Density is sessions, and placements that are not in that number yet, by weight and speed, mixed half and half with the
 * load as reported and smoothed: a session is a promise of later requests, so their number counts even while all nodes are
 * idle, and how active they are tells the load. While there is room slow nodes are filled less than fast ones, because
 * their queues are felt more. A node whose score, service time by the square of its queue, is clearly above twice the
 * median gets none as long as others do. After a join shares are limited (`FairShare`). Equal weights come out even to
 * one session when logins are few.
 *
 * Exact over any number of nodes without a look at all of them: a winner tree holds the densities. All are reckoned anew
 * ten times a second, with what nodes and other workers have told since; in between only that of the node that got a
 * session changes.
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
  /** By place in the list of candidates, as it was measured last. */
  #nodes: Candidate[] = [];
  /** What a session counts there against a typical node. */
  #slowness = new Float64Array(0);
  /**
   * What the density is multiplied by. Slow nodes are filled less than fast ones while there is room, because a queue is felt
   * more there; and a queue of now counts by its root, because it will have gone before the session has, and less so for a
   * node that has few sessions yet.
   */
  #reluctance = new Float64Array(0);
  /** Smoothed load over the mean, 1 where none is told. */
  #relativeLoad = new Float64Array(0);
  #isHot = new Uint8Array(0);
  #measuredAtMs = Number.NEGATIVE_INFINITY;
  /** Since all were reckoned. */
  #picks = 0;
  /** Place of the node picked last, which may have a session more by now; -1: none. */
  #last = -1;
  #meanCrowd = 1;
  #loadWeight = 0;
  #totalWeight = 1;

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
    const isFresh = nowMs >= this.#measuredAtMs && nowMs - this.#measuredAtMs < MEASURE_MS;
    // Who is over the limit is not any more when the others have got theirs.
    const hasMoved = this.#picks >= length && this.#shares.isLimited(nowMs);
    if (!isFresh || hasMoved || length !== this.#nodes.length) this.#measure(candidates, nowMs);
    else if (this.#last >= 0) this.#put(candidates, this.#last, nowMs);
    // The list has changed in place since it was measured.
    if (this.#nodes[this.#tree.least] !== candidates[this.#tree.least]) this.#measure(candidates, nowMs);
  }

  /** Shares before speed before density: a lower rank is always better. */
  #put(candidates: readonly Candidate[], place: number, nowMs: number): void {
    const candidate = candidates[place]!;
    const isCrowded = this.#shares.isLimited(nowMs) && !this.#shares.hasRoom(candidate, this.#totalWeight, nowMs);
    const rank = (isCrowded ? 2 : 0) + this.#isHot[place]!;
    const density = Math.min(MAX_DENSITY, this.#density(candidate, place));
    this.#tree.set(place, rank * RANK + density * (1 + TIE_RATIO * this.#rng()));
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
    this.#measuredAtMs = Number.NEGATIVE_INFINITY;
  }

  /** Density of sessions, without unit: 1 is about the mean. */
  score(candidate: Candidate): number {
    const place = this.#nodes.indexOf(candidate);
    return place >= 0 ? this.#density(candidate, place) : crowdOf(candidate);
  }

  heat(candidate: Candidate, nowMs: number): number {
    const estimate = this.#estimates.of(candidate.id);
    const queue = 1 + queueOf(candidate, estimate, nowMs);
    const heat = (this.#estimates.costOf(estimate, nowMs) * queue * queue) / candidate.weight;
    return heat > 0 && heat <= Number.MAX_VALUE ? heat : Number.MAX_VALUE;
  }

  #density(candidate: Candidate, place: number): number {
    const crowd = (crowdOf(candidate) * this.#slowness[place]!) / this.#meanCrowd;
    const mixed = (1 - this.#loadWeight) * crowd + this.#loadWeight * this.#relativeLoad[place]!;
    const density = mixed * this.#reluctance[place]!;
    return Number.isFinite(density) ? density : Number.MAX_VALUE;
  }

  /** Means and medians over the candidates, against which guard and density are reckoned. */
  #measure(candidates: readonly Candidate[], nowMs: number): void {
    const { length } = candidates;
    if (length !== this.#slowness.length) {
      this.#slowness = new Float64Array(length);
      this.#reluctance = new Float64Array(length);
      this.#relativeLoad = new Float64Array(length);
      this.#isHot = new Uint8Array(length);
      this.#tree.reset(length);
    }
    this.#nodes = [...candidates];
    this.#measuredAtMs = nowMs;
    this.#picks = 0;
    this.#last = -1;
    this.#shares.observe(candidates, nowMs);
    const costs = new Float64Array(length);
    const scores = new Float64Array(length);
    let [load, loads, queue, weight] = [0, 0, 0, 0];
    for (let i = 0; i < length; i++) {
      const candidate = candidates[i]!;
      const estimate = this.#estimates.of(candidate.id);
      const queued = queueOf(candidate, estimate, nowMs);
      costs[i] = this.#estimates.costOf(estimate, nowMs);
      scores[i] = costs[i]! * (1 + queued) ** 2;
      const told = loadOf(candidate, estimate);
      this.#relativeLoad[i] = told;
      if (told >= 0) {
        load += told;
        loads++;
      }
      if (queued >= 0) queue += Math.min(1, queued);
      weight += candidate.weight;
    }
    this.#totalWeight = weight;
    const meanLoad = loads > 0 ? load / loads : 0;
    this.#loadWeight = Math.min(MAX_LOAD_WEIGHT, Math.max(0, meanLoad - IDLE_LOAD));
    const busy = loads > 0 ? meanLoad : queue / length;
    const speedWeight = Math.min(1, busy / BUSY);
    const typicalMs = median(costs);
    const guard = GUARD_RATIO * median(scores) + NOISE_MS;
    let crowd = 0;
    for (let i = 0; i < length; i++) {
      this.#isHot[i] = scores[i]! > guard ? 1 : 0;
      const ratio = Math.min(MAX_SPEED_RATIO, Math.max(1 / MAX_SPEED_RATIO, costs[i]! / typicalMs));
      this.#slowness[i] = ratio ** speedWeight;
      const filled = Math.min(1, (crowdOf(candidates[i]!) * this.#slowness[i]!) / this.#meanCrowd);
      const queueing = (scores[i]! / costs[i]!) ** ((speedWeight * filled) / 4);
      this.#reluctance[i] = this.#slowness[i]! ** Math.max(0, 1 - busy) * queueing;
      // A load that is not told counts as the mean.
      this.#relativeLoad[i] = this.#relativeLoad[i]! >= 0 && meanLoad > 0 ? this.#relativeLoad[i]! / meanLoad : 1;
      crowd += crowdOf(candidates[i]!) * this.#slowness[i]!;
    }
    this.#meanCrowd = crowd > 0 && crowd <= Number.MAX_VALUE ? crowd / length : 1;
    for (let i = 0; i < length; i++) this.#put(candidates, i, nowMs);
  }
}

/** Sessions by weight, with one more. */
function crowdOf({ live, weight }: Candidate): number {
  return (sessionsOf(live) + 1) / weight;
}

/** Reported load, smoothed as far as reports were heard; NaN when none was told. */
function loadOf({ live }: Candidate, { load }: Estimate): number {
  return load >= 0 ? load : Math.min(1, live.load);
}

/**
 * Sessions as told, with those placed since; a number nobody has told counts as none. Other workers have placed as many
 * as this one, by their shares.
 */
function sessionsOf({ sessions, placed, share }: Candidate['live']): number {
  const told = sessions >= 0 ? Math.min(sessions, Number.MAX_SAFE_INTEGER) : 0;
  const perOwn = share > 0 && share <= 1 && sessions >= 0 ? 1 / share : 1;
  return told + (placed >= 0 ? Math.min(placed * perOwn, Number.MAX_SAFE_INTEGER) : 0);
}

function median(values: Float64Array): number {
  const sorted = values.slice().sort();
  return sorted[sorted.length >> 1]!;
}
