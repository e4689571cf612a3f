import type { NodeId } from '@rollcall/protocol';
import type { Rng } from '../rng.ts';
import type { Algorithm, AttemptOutcome, Candidate, NodeReport, PickRequest, PickTrace } from './algorithm.ts';
import { LeastTree } from './least-tree.ts';
import { type Estimate, queueOf, ServiceEstimates, waitOf } from './service-estimate.ts';

/** A node that has come up takes part in this share of the picks at first, rising to all of them. */
const SLOW_START_FLOOR = 0.1;
const SLOW_START_MS = 20_000;
/** Largest number of nodes that one pick skips because they have just come up. */
const MAX_SITTING_OUT = 16;
/** Scores this close are equal: the difference is noise. */
const TIE_RATIO = 0.02;
/** A load older than this counts as unknown. */
const LOAD_MAX_AGE_MS = 15_000;
export const UNKNOWN_LOAD = 0.5;
/** Largest number of nodes that answered since the last pick and are computed anew by the next one. */
const MAX_TOUCHED = 64;
const SLOW_START = 'it registered lately: it takes part in some of the picks until it has ramped up';

/**
 * The default for requests without a session: the least
 * `service time × (1 + (own / share + others) / cores)^1.5 × (1 + load) × (1 + 20 × errors) / weight`, random among equals.
 *
 * `own` are this worker's requests in flight at the node, `share` is its part of the node's traffic. All workers have about
 * the same data and act alike, so one request sent stands for as many as there are workers. `others` are requests of other
 * workers, smoothed, as the node reports them beside its answers.
 *
 * Reports of both through the coordinator count only when the node has reported nothing beside an answer for a second. Such reports reach all workers at once and would send all of them to one node. For the same reason
 * the reported load counts for a factor of 2 at most. A node without reports is judged by latency. A joining node takes part
 * in 10 % of the picks at once and in all of them after 20 s.
 *
 * Exact over any number of nodes without visiting all of them: a winner tree holds the scores. Each pick computes anew the
 * nodes that have answered, one other in turn, and the winner before it is taken. 0.2 µs with two nodes and 0.4 µs with a
 * thousand, learning included; allocates nothing.
 *
 * Weights act through the score: they do not guarantee shares.
 *
 * @see Suresh et al., "C3", NSDI 2015, for queue and service time reported beside answers; `waitOf` for the power.
 */
export function adaptive({ rng }: { readonly rng: Rng }): Algorithm {
  return new Adaptive(rng);
}

class Adaptive implements Algorithm {
  readonly name = 'adaptive';
  readonly #rng: Rng;
  readonly #estimates = new ServiceEstimates();
  readonly #tree = new LeastTree();
  /** By place in the list of candidates, as last seen. */
  #nodes: Candidate[] = [];
  #known: Estimate[] = [];
  /** Factor of each score, 1 … 1.02, so that equal nodes share by chance. Drawn anew when the node is picked and when it is its turn. */
  #noise = new Float64Array(0);
  readonly #touched = new Int32Array(MAX_TOUCHED);
  #touches = 0;
  #turn = 0;
  readonly #sittingOut = new Int32Array(MAX_SITTING_OUT);

  constructor(rng: Rng) {
    this.#rng = rng;
  }

  pick<C extends Candidate>(candidates: readonly C[], request: PickRequest, tried: ReadonlySet<NodeId>): C | undefined {
    const { length } = candidates;
    if (length === 0) return undefined;
    if (length === 1) return tried.has(candidates[0]!.id) ? undefined : candidates[0];
    // Retries are rare and may visit all nodes.
    if (tried.size > 0) return this.#bestUntried(candidates, request, tried);
    const { nowMs } = request;
    if (length !== this.#nodes.length) this.#rebuild(candidates, nowMs);
    else this.#refresh(candidates, nowMs);
    return candidates[this.#winner(candidates, nowMs, request.trace)];
  }

  onResponse(candidate: Candidate, outcome: AttemptOutcome, latencyMs: number, nowMs: number): void {
    this.#touch(this.#estimates.learn(candidate, outcome, latencyMs, nowMs));
  }

  onReport(candidate: Candidate, report: NodeReport, nowMs: number): void {
    this.#estimates.hear(candidate, report, nowMs);
    // After a report beside an answer `onResponse` follows.
    if (!report.isBesideAnswer) this.#touch(this.#estimates.of(candidate.id));
  }

  onMembership(candidates: readonly Candidate[]): void {
    this.#estimates.retain(candidates);
    this.#nodes = [];
  }

  score(candidate: Candidate, { nowMs }: PickRequest): number {
    return this.wait(candidate, nowMs);
  }

  wait(candidate: Candidate, nowMs: number): number {
    return this.#score(candidate, this.#estimates.of(candidate.id), nowMs);
  }

  #score(candidate: Candidate, estimate: Estimate, nowMs: number): number {
    const { live, weight } = candidate;
    const queue = 1 + queueOf(candidate, estimate, nowMs);
    const load =
      1 + (nowMs - live.loadAtMs <= LOAD_MAX_AGE_MS && live.load >= 0 ? Math.min(1, live.load) : UNKNOWN_LOAD);
    const score = (waitOf(this.#estimates.costOf(estimate, nowMs), queue) * load) / weight;
    return score > 0 && score <= Number.MAX_VALUE ? score : Number.MAX_VALUE;
  }

  /** Place of the best candidate. */
  #winner(candidates: readonly Candidate[], nowMs: number, trace?: PickTrace): number {
    const tree = this.#tree;
    let out = 0;
    let looks = 0;
    let winner = tree.least;
    for (;;) {
      const before = tree.key(winner);
      const key = this.#reckon(candidates, winner, nowMs);
      if (key > before && looks++ < candidates.length) {
        tree.set(winner, key);
        if (tree.least !== winner) {
          winner = tree.least;
          continue;
        }
      }
      if (!this.#sitsOut(candidates[winner]!, nowMs)) break;
      this.#sittingOut[out++] = winner;
      tree.set(winner, Number.POSITIVE_INFINITY);
      winner = tree.least;
      if (out < MAX_SITTING_OUT && tree.key(winner) < Number.POSITIVE_INFINITY) continue;
      // All nodes, or nearly all, have just come up: the best of them is taken.
      winner = this.#sittingOut[0]!;
      break;
    }
    for (let i = 0; i < out; i++) this.#put(candidates, this.#sittingOut[i]!, nowMs);
    if (trace !== undefined) this.#report(candidates, trace, winner, this.#sittingOut.subarray(0, out));
    this.#noise[winner] = 1 + TIE_RATIO * this.#rng();
    return winner;
  }

  /** Reports the scores that the pick compared, with their noise, and the nodes that it skipped. */
  #report(candidates: readonly Candidate[], trace: PickTrace, winner: number, sittingOut: Int32Array): void {
    for (const [place, candidate] of candidates.entries()) {
      if (place !== winner && sittingOut.includes(place)) trace.leftOut(candidate, SLOW_START);
      else trace.compared(candidate, this.#tree.key(place));
    }
  }

  #refresh(candidates: readonly Candidate[], nowMs: number): void {
    const { length } = candidates;
    for (let i = 0; i < this.#touches; i++) {
      const place = this.#touched[i]!;
      if (place < length) this.#put(candidates, place, nowMs);
    }
    this.#touches = 0;
    // One more node in turn: scores change with time, and when bodies end.
    if (this.#turn >= length) this.#turn = 0;
    this.#noise[this.#turn] = 1 + TIE_RATIO * this.#rng();
    this.#put(candidates, this.#turn++, nowMs);
  }

  #rebuild(candidates: readonly Candidate[], nowMs: number): void {
    const { length } = candidates;
    this.#nodes = new Array<Candidate>(length);
    this.#known = new Array<Estimate>(length);
    this.#noise = new Float64Array(length);
    this.#tree.reset(length);
    this.#touches = 0;
    for (let i = 0; i < length; i++) {
      this.#noise[i] = 1 + TIE_RATIO * this.#rng();
      this.#put(candidates, i, nowMs);
    }
  }

  #put(candidates: readonly Candidate[], place: number, nowMs: number): void {
    this.#tree.set(place, this.#reckon(candidates, place, nowMs));
  }

  /** The score of the node at `place` now, with its noise. */
  #reckon(candidates: readonly Candidate[], place: number, nowMs: number): number {
    const candidate = candidates[place]!;
    if (this.#nodes[place] !== candidate) {
      const estimate = this.#estimates.of(candidate.id);
      estimate.place = place;
      this.#nodes[place] = candidate;
      this.#known[place] = estimate;
    }
    return this.#score(candidate, this.#known[place]!, nowMs) * this.#noise[place]!;
  }

  #touch({ place }: Estimate): void {
    if (place >= 0 && this.#touches < MAX_TOUCHED) this.#touched[this.#touches++] = place;
  }

  #bestUntried<C extends Candidate>(
    candidates: readonly C[],
    request: PickRequest,
    tried: ReadonlySet<NodeId>,
  ): C | undefined {
    let best: C | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const candidate of candidates) {
      if (tried.has(candidate.id)) continue;
      const score = this.score(candidate, request) * (1 + TIE_RATIO * this.#rng());
      request.trace?.compared(candidate, score);
      if (best !== undefined && score >= least) continue;
      best = candidate;
      least = score;
    }
    return best;
  }

  #sitsOut({ upAtMs, rampFactor = 1 }: Candidate, nowMs: number): boolean {
    const part = (nowMs - upAtMs) / (SLOW_START_MS * rampFactor);
    if (!(part < 1)) return false;
    return this.#rng() >= Math.max(SLOW_START_FLOOR / rampFactor, part);
  }
}
