import type { NodeId } from '@rollcall/protocol';
import type { Rng } from '../rng.ts';
import type { Algorithm, AttemptOutcome, Candidate, PickRequest } from './algorithm.ts';
import { FairShare } from './fair-share.ts';
import { MAX_SCAN, Rotation } from './rotation.ts';
import { ServiceEstimates } from './service-estimate.ts';

/** A node whose cost is above this many medians gets no new sessions while there are others. */
const GUARD_RATIO = 2;
/** Differences of this many milliseconds are noise: they neither bar a node nor make it count as slow. */
const NOISE_MS = 10;
/** Requests in flight per core that do not count as a queue yet. */
const QUEUE_SLACK = 4;
/** The median is reckoned again after this time. */
const GUARD_MS = 100;
/** A slow node counts at most this much against a typical one, a fast one for as much. */
const MAX_SPEED_RATIO = 4;
/** Most that the load weighs against the number of sessions; less while nodes are idle, when loads differ by noise only. */
const MAX_LOAD_WEIGHT = 0.5;

/**
 * The default for new sessions: the least density of sessions among the nodes that answer about as fast as the rest.
 *
 * Density is sessions and placements that are not in that number yet, by weight and speed, mixed with the reported
 * load: a session is a promise of later requests, so the number of sessions counts even while all nodes are idle. A
 * node whose cost is clearly above twice the median gets none as long as others do. Of more than 32 nodes a pick looks
 * at 32 in turn, which costs 0.9 µs, and 1.4 µs at 1,000 with the medians over all. After a join shares are limited
 * (`FairShare`). Equal weights come out even to one session when logins are few.
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
  readonly #rotation = new Rotation();
  #guardAtMs = Number.NEGATIVE_INFINITY;
  #guardCost = Number.POSITIVE_INFINITY;
  #medianMs = 1;
  #meanSessions = 1;
  #meanLoad = 0;
  #totalWeight = 1;

  constructor(rng: Rng) {
    this.#rng = rng;
  }

  pick<C extends Candidate>(candidates: readonly C[], request: PickRequest, tried: ReadonlySet<NodeId>): C | undefined {
    const { nowMs } = request;
    if (candidates.length === 1) return tried.has(candidates[0]!.id) ? undefined : candidates[0];
    if (nowMs - this.#guardAtMs >= GUARD_MS || nowMs < this.#guardAtMs) this.#measure(candidates, nowMs);
    const { length } = candidates;
    const best = this.#best(candidates, this.#rotation.next(length), Math.min(length, MAX_SCAN), nowMs, tried);
    // All that were looked at had been tried: rare enough to look at the rest.
    const picked = best ?? this.#best(candidates, 0, length, nowMs, tried);
    if (picked !== undefined && this.#shares.isLimited(nowMs)) this.#shares.place(picked);
    return picked;
  }

  /** The best of `count` candidates from `start` on. */
  #best<C extends Candidate>(
    candidates: readonly C[],
    start: number,
    count: number,
    nowMs: number,
    tried: ReadonlySet<NodeId>,
  ): C | undefined {
    const isLimited = this.#shares.isLimited(nowMs);
    let best: C | undefined;
    let bestRank = Number.POSITIVE_INFINITY;
    let bestDensity = Number.POSITIVE_INFINITY;
    let ties = 0;
    for (let i = 0; i < count; i++) {
      const candidate = candidates[(start + i) % candidates.length]!;
      if (tried.has(candidate.id)) continue;
      // Shares before speed before density: a lower rank is always better.
      const isCrowded = isLimited && !this.#shares.hasRoom(candidate, this.#totalWeight, nowMs);
      const costMs = this.#estimates.costMs(candidate.id);
      const rank = (isCrowded ? 2 : 0) + (guardedCost(costMs, candidate) > this.#guardCost ? 1 : 0);
      const density = this.#density(candidate, costMs);
      if (best === undefined || rank < bestRank || (rank === bestRank && density < bestDensity)) {
        best = candidate;
        bestRank = rank;
        bestDensity = density;
        ties = 1;
      } else if (rank === bestRank && density === bestDensity && this.#rng() * ++ties < 1) best = candidate;
    }
    return best;
  }

  onResponse(candidate: Candidate, outcome: AttemptOutcome, latencyMs: number): void {
    this.#estimates.learn(candidate, outcome, latencyMs);
  }

  onMembership(candidates: readonly Candidate[]): void {
    this.#estimates.retain(candidates);
    this.#guardAtMs = Number.NEGATIVE_INFINITY;
  }

  /** Density of sessions, without unit: 1 is about the mean. */
  score(candidate: Candidate): number {
    return this.#density(candidate, this.#estimates.costMs(candidate.id));
  }

  #density({ weight, live }: Candidate, costMs: number): number {
    const ratio = (costMs + NOISE_MS) / (this.#medianMs + NOISE_MS);
    const slowness = clamp(ratio, 1 / MAX_SPEED_RATIO, MAX_SPEED_RATIO);
    const sessions = (sessionsOf(live) + 1) / weight;
    const crowd = (sessions * slowness) / this.#meanSessions;
    const loadWeight = Math.min(MAX_LOAD_WEIGHT, this.#meanLoad);
    // A load that is not told counts as the mean.
    const load = loadWeight > 0 && live.load >= 0 ? Math.min(1, live.load) / this.#meanLoad : 1;
    const density = (1 - loadWeight) * crowd + loadWeight * load;
    return Number.isFinite(density) ? density : Number.MAX_VALUE;
  }

  /** Means and medians over the candidates, against which the guard and the density are reckoned. */
  #measure(candidates: readonly Candidate[], nowMs: number): void {
    this.#guardAtMs = nowMs;
    this.#shares.observe(candidates, nowMs);
    this.#totalWeight = sumOfWeights(candidates);
    const costs = new Float64Array(candidates.length);
    const serviceMs = new Float64Array(candidates.length);
    let sessions = 0;
    let load = 0;
    let loads = 0;
    for (let i = 0; i < candidates.length; i++) {
      const candidate = candidates[i]!;
      const costMs = this.#estimates.costMs(candidate.id);
      serviceMs[i] = costMs;
      costs[i] = guardedCost(costMs, candidate);
      sessions += sessionsOf(candidate.live) + 1;
      if (candidate.live.load >= 0) {
        load += Math.min(1, candidate.live.load);
        loads++;
      }
    }
    this.#guardCost = GUARD_RATIO * median(costs) + NOISE_MS;
    this.#medianMs = median(serviceMs);
    this.#meanSessions = sessions / candidates.length;
    this.#meanLoad = loads === 0 ? 0 : load / loads;
  }
}

function guardedCost(costMs: number, { live, cores }: Candidate): number {
  const queue = 1 + live.inFlight / (QUEUE_SLACK * cores);
  return costMs * queue * queue * queue;
}

/** Sessions as told, with those placed since; a number nobody has told counts as none. */
function sessionsOf(live: Candidate['live']): number {
  const told = live.sessions >= 0 ? Math.min(live.sessions, Number.MAX_SAFE_INTEGER) : 0;
  return told + (live.placed >= 0 ? Math.min(live.placed, Number.MAX_SAFE_INTEGER) : 0);
}

function median(values: Float64Array): number {
  values.sort();
  return values[values.length >> 1]!;
}

function sumOfWeights(candidates: readonly Candidate[]): number {
  let sum = 0;
  for (const { weight } of candidates) sum += weight;
  return sum;
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}
