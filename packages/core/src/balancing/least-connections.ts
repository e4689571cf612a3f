import type { NodeId } from '@rollcall/protocol';
import type { Rng } from '../rng.ts';
import type { Algorithm, Candidate, PickRequest, PickTrace } from './algorithm.ts';
import { MAX_SCAN, Rotation } from './rotation.ts';

/**
 * The node with the fewest requests in flight for its weight, random among equals. It counts requests, not
 * connections; the name is the usual one. With more than 32 nodes a pick compares 32 in turn.
 * 0.1 µs with two nodes, at most 0.5 µs with any number.
 *
 * @see Zhang, "Linux Virtual Server for Scalable Network Services", Ottawa Linux Symposium 2000: weighted least connections.
 */
export function leastConnections({ rng }: { readonly rng: Rng }): Algorithm {
  return new LeastConnections(rng);
}

class LeastConnections implements Algorithm {
  readonly name = 'least-connections';
  readonly #rng: Rng;
  readonly #rotation = new Rotation();

  constructor(rng: Rng) {
    this.#rng = rng;
  }

  pick<C extends Candidate>(
    candidates: readonly C[],
    { trace }: PickRequest,
    tried: ReadonlySet<NodeId>,
  ): C | undefined {
    const { length } = candidates;
    const count = Math.min(length, MAX_SCAN);
    const best = this.#best(candidates, this.#rotation.next(length), count, tried, trace);
    return best ?? this.#best(candidates, 0, length, tried, trace);
  }

  #best<C extends Candidate>(
    candidates: readonly C[],
    start: number,
    count: number,
    tried: ReadonlySet<NodeId>,
    trace: PickTrace | undefined,
  ): C | undefined {
    let best: C | undefined;
    let bestScore = Number.POSITIVE_INFINITY;
    let ties = 0;
    for (let i = 0; i < count; i++) {
      const candidate = candidates[(start + i) % candidates.length]!;
      if (tried.has(candidate.id)) continue;
      const score = inFlightPerWeight(candidate);
      trace?.compared(candidate, score);
      if (best === undefined || score < bestScore) {
        best = candidate;
        bestScore = score;
        ties = 1;
      } else if (score === bestScore && this.#rng() * ++ties < 1) best = candidate;
    }
    return best;
  }

  score(candidate: Candidate): number {
    return inFlightPerWeight(candidate);
  }
}

/** In-flight requests that the node would have with one more, for its weight. */
export function inFlightPerWeight({ live, weight }: Candidate): number {
  const perWeight = (live.inFlight + 1) / weight;
  return perWeight >= 0 ? perWeight : Number.MAX_VALUE;
}
