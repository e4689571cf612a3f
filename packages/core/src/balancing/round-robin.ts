import type { NodeId } from '@rollcall/protocol';
import type { Algorithm, Candidate, PickRequest } from './algorithm.ts';

/** The largest weight a node may have. */
const MAX_WEIGHT = 100;

/**
 * Turns by weight: shares are exact over each round and never bunched.
 *
 * @see nginx's smooth weighted round robin, commit 52327e0627f4 (2012): everybody gains its weight, the highest is
 *   chosen and pays the sum.
 */
export function roundRobin(): Algorithm {
  return new RoundRobin();
}

class RoundRobin implements Algorithm {
  readonly name = 'round-robin';
  readonly #credits = new Map<NodeId, number>();

  pick<C extends Candidate>(
    candidates: readonly C[],
    _request: PickRequest,
    tried: ReadonlySet<NodeId>,
  ): C | undefined {
    let best: C | undefined;
    let bestCredit = Number.NEGATIVE_INFINITY;
    let total = 0;
    for (const candidate of candidates) {
      if (tried.has(candidate.id)) continue;
      const weight = usableWeight(candidate);
      const credit = (this.#credits.get(candidate.id) ?? 0) + weight;
      this.#credits.set(candidate.id, credit);
      total += weight;
      if (best === undefined || credit > bestCredit) {
        best = candidate;
        bestCredit = credit;
      }
    }
    if (best !== undefined) this.#credits.set(best.id, bestCredit - total);
    return best;
  }

  onMembership(candidates: readonly Candidate[]): void {
    const present = new Set(candidates.map(({ id }) => id));
    for (const id of this.#credits.keys()) if (!present.has(id)) this.#credits.delete(id);
  }

  /** Lower is next. */
  score(candidate: Candidate): number {
    return -((this.#credits.get(candidate.id) ?? 0) + usableWeight(candidate));
  }
}

/** Credits are sums: one weight that is no number would spoil them all. */
function usableWeight({ weight }: Candidate): number {
  return weight > 0 && weight <= MAX_WEIGHT ? weight : 0;
}
