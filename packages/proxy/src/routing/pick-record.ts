import type { Candidate, PickTrace } from '@rollcall/core';
import type { ExplainedCandidate } from '@rollcall/feed';
import type { NodeId } from '@rollcall/protocol';

/** Most candidates in one decision. */
const MAX_CANDIDATES = 10;

/** What one pick compared, for an operator who watches. Reused for each pick. */
export class PickRecord implements PickTrace {
  readonly #compared: ExplainedCandidate[] = [];
  readonly #leftOut: ExplainedCandidate[] = [];

  /** Empty, for the next pick. */
  cleared(): this {
    this.#compared.length = 0;
    this.#leftOut.length = 0;
    return this;
  }

  compared({ id }: Candidate, score: number, why = ''): void {
    this.#compared.push({ id, isEligible: true, reason: why, ...(Number.isFinite(score) && { score }) });
  }

  leftOut({ id }: Candidate, why: string): void {
    this.#leftOut.push({ id, isEligible: true, reason: why });
  }

  /** The compared candidates by score, `chosen` first among equals; then nodes that were left out, or `tried` before. At most 10. */
  candidates(chosen: NodeId, tried: Iterable<NodeId>): ExplainedCandidate[] {
    const score = (one: ExplainedCandidate): number => one.score ?? Number.MAX_VALUE;
    const order = ({ id }: ExplainedCandidate): number => (id === chosen ? 0 : 1);
    this.#compared.sort((one, other) => Math.sign(score(one) - score(other)) || order(one) - order(other));
    const failed = Array.from(tried, (id) => ({ id, isEligible: false, reason: 'it was tried and failed' }));
    return [...this.#compared, ...this.#leftOut, ...failed].slice(0, MAX_CANDIDATES);
  }
}
