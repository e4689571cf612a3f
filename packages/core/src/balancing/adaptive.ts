import type { NodeId } from '@rollcall/protocol';
import type { Rng } from '../rng.ts';
import type { Algorithm, AttemptOutcome, Candidate, PickRequest } from './algorithm.ts';
import { ServiceEstimates } from './service-estimate.ts';

/** Nodes that are looked at in full; of more, so many are drawn by chance. */
const MAX_SCAN = 64;
const SAMPLED = 16;
/** A node that has come up takes part in this share of the picks at first, rising to all of them. */
const SLOW_START_FLOOR = 0.1;
const SLOW_START_MS = 20_000;
/** Scores this close are equal: the difference is noise. */
const TIE_RATIO = 1.05;
/** A load older than this says nothing any more. */
const LOAD_MAX_AGE_MS = 15_000;
const UNKNOWN_LOAD = 0.5;

/**
 * The default for requests without a session: the least
 * `service time × (1 + in-flight / cores)³ × (1 + load)² × (1 + 20 × errors) / weight`, random among equals.
 *
 * In-flight and errors are this worker's own and act at once; load is the node's report and therefore late, so it
 * counts for a factor of 4 at most and cannot make all workers run to one node. Above 64 nodes 16 are drawn. A joining
 * node takes part in 10 % of the picks at once and in all of them after 20 s.
 *
 * Weights steer through the score: they are not a promise of shares.
 *
 * @see C3 (Suresh et al., NSDI 2015) for the cubic queue term, with our own service estimate in place of the
 *   piggybacked one.
 */
export function adaptive({ rng }: { readonly rng: Rng }): Algorithm {
  return new Adaptive(rng);
}

class Adaptive implements Algorithm {
  readonly name = 'adaptive';
  readonly #rng: Rng;
  readonly #estimates = new ServiceEstimates();
  /** Scores of the last scan, to find its ties. */
  readonly #scores = new Float64Array(MAX_SCAN);

  constructor(rng: Rng) {
    this.#rng = rng;
  }

  pick<C extends Candidate>(candidates: readonly C[], request: PickRequest, tried: ReadonlySet<NodeId>): C | undefined {
    if (candidates.length === 1) return tried.has(candidates[0]!.id) ? undefined : candidates[0];
    const scanned = candidates.length <= MAX_SCAN ? candidates : this.#sample(candidates);
    const picked = this.#best(scanned, request, tried, true) ?? this.#best(scanned, request, tried, false);
    // All that were drawn had been tried: rare enough to look at the rest one by one.
    return picked ?? candidates.find(({ id }) => !tried.has(id));
  }

  onResponse(candidate: Candidate, outcome: AttemptOutcome, latencyMs: number): void {
    this.#estimates.learn(candidate, outcome, latencyMs);
  }

  onMembership(candidates: readonly Candidate[]): void {
    this.#estimates.retain(candidates);
  }

  score({ id, live, weight, cores }: Candidate, { nowMs }: PickRequest): number {
    const isFresh = nowMs - live.loadAtMs <= LOAD_MAX_AGE_MS && live.load >= 0;
    const load = 1 + Math.min(1, isFresh ? live.load : UNKNOWN_LOAD);
    const queue = 1 + live.inFlight / cores;
    const score = (this.#estimates.costMs(id) * queue * queue * queue * load * load) / weight;
    return Number.isFinite(score) ? score : Number.MAX_VALUE;
  }

  /** The best of at most `MAX_SCAN`; with `isRamping` joining nodes take part by chance only. */
  #best<C extends Candidate>(
    scanned: readonly C[],
    request: PickRequest,
    tried: ReadonlySet<NodeId>,
    isRamping: boolean,
  ): C | undefined {
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < scanned.length; i++) {
      const candidate = scanned[i]!;
      const isIn = !tried.has(candidate.id) && !(isRamping && this.#sitsOut(candidate, request.nowMs));
      const score = isIn ? this.score(candidate, request) : Number.POSITIVE_INFINITY;
      this.#scores[i] = score;
      if (score < least) least = score;
    }
    let best: C | undefined;
    let ties = 0;
    for (let i = 0; i < scanned.length; i++) {
      const score = this.#scores[i]!;
      if (score !== Number.POSITIVE_INFINITY && score <= least * TIE_RATIO && this.#rng() * ++ties < 1)
        best = scanned[i];
    }
    return best;
  }

  #sitsOut({ upAtMs }: Candidate, nowMs: number): boolean {
    const ageMs = nowMs - upAtMs;
    if (!(ageMs < SLOW_START_MS)) return false;
    return this.#rng() >= Math.max(SLOW_START_FLOOR, ageMs / SLOW_START_MS);
  }

  #sample<C extends Candidate>(candidates: readonly C[]): C[] {
    const sample: C[] = [];
    for (let i = 0; i < SAMPLED; i++) sample.push(candidates[Math.floor(this.#rng() * candidates.length)]!);
    return sample;
  }
}
