/**
 * Limits the share of each node in new sessions after a join.
 *
 * For 10 s after a join no node gets more than 1.4 times the fair share by weight. After that the limit doubles every second
 * until it has no effect. A joining node without sessions would otherwise get every new session until it has as many as the
 * others. The first placement is always allowed, so a new node is used at once. For a candidate with a ramp factor all these
 * times are longer by that factor.
 */
import type { NodeId } from '@rollcall/protocol';
import type { Candidate } from './algorithm.ts';

const SHARE_LIMIT = 1.4;
const LIMITED_MS = 10_000;
const DOUBLING_MS = 1_000;
/** By now the limit is over a hundred fair shares. */
const OVER_MS = 17_000;

export class FairShare {
  readonly #placed = new Map<NodeId, number>();
  #total = 0;
  #lastJoinAtMs = Number.NEGATIVE_INFINITY;
  /** The largest ramp factor of the candidates. */
  #slowest = 1;

  /** Finds nodes that have come up since the last call; a new join begins a new count. Call before `hasRoom`. */
  observe(candidates: readonly Candidate[], nowMs: number): void {
    let lastJoinAtMs = this.#lastJoinAtMs;
    let slowest = 1;
    for (const { upAtMs, rampFactor = 1 } of candidates) {
      if (upAtMs > lastJoinAtMs && upAtMs <= nowMs) lastJoinAtMs = upAtMs;
      if (rampFactor > slowest) slowest = rampFactor;
    }
    this.#slowest = slowest;
    if (lastJoinAtMs === this.#lastJoinAtMs) return;
    this.#lastJoinAtMs = lastJoinAtMs;
    this.#placed.clear();
    this.#total = 0;
  }

  /** True while shares are limited. */
  isLimited(nowMs: number): boolean {
    return nowMs - this.#lastJoinAtMs < OVER_MS * this.#slowest;
  }

  /** May `candidate` take one more session? `totalWeight` is the sum of the weights of all candidates. */
  hasRoom({ id, weight, rampFactor = 1 }: Candidate, totalWeight: number, nowMs: number): boolean {
    const beyondMs = Math.max(0, nowMs - this.#lastJoinAtMs - LIMITED_MS * rampFactor);
    const limit = SHARE_LIMIT * 2 ** (beyondMs / (DOUBLING_MS * rampFactor));
    const allowed = (limit * (this.#total + 1) * weight) / totalWeight;
    return (this.#placed.get(id) ?? 0) + 1 <= Math.max(1, allowed);
  }

  place({ id }: Candidate): void {
    this.#placed.set(id, (this.#placed.get(id) ?? 0) + 1);
    this.#total++;
  }
}
