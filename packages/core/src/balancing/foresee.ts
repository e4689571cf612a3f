import type { NodeId } from '@rollcall/protocol';
import type { Algorithm, Candidate, PickRequest } from './algorithm.ts';

/**
 * The candidate that `algorithm` is most likely to pick now: the one with the best score, the first of the list among equals.
 *
 * For explanations. It uses no turn, no placement and no random number, so that any number of calls changes no later pick.
 * Where an algorithm draws (equal nodes, `power-of-two`, slow start) the pick may be another one.
 */
export function foresee<C extends Candidate>(
  algorithm: Algorithm,
  candidates: readonly C[],
  request: PickRequest,
  tried: ReadonlySet<NodeId>,
): C | undefined {
  let best: C | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    if (tried.has(candidate.id)) continue;
    const score = algorithm.score?.(candidate, request) ?? Number.MAX_VALUE;
    if (best !== undefined && !(score < least)) continue;
    best = candidate;
    least = score;
  }
  return best;
}
