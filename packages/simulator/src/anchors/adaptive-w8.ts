import { ALGORITHMS, type Candidate } from '@rollcall/core';
import type { Rule } from '../contender.ts';

const SAMPLES = 8;
/** Weight of the newest service time. */
const SERVICE_ALPHA = 0.1;
/** Capacities are summed up again after this time. */
const SUMS_MS = 100;

/**
 * `adaptive` that looks at eight nodes in place of all: drawn in proportion to their speed, with replacement, the best by
 * `adaptive`'s own score. A draw costs log₂ of the number of nodes; all are summed up ten times a second.
 *
 * @see the study behind this package's targets, where it stands between two choices and a look at all nodes.
 */
export const adaptiveW8: Rule = ({ rng, world, indexOf }) => {
  const scored = ALGORITHMS.adaptive({ rng });
  const serviceMs = new Float64Array(world.nodes);
  let sums = new Float64Array(0);
  let summedAtMs = Number.NEGATIVE_INFINITY;
  const sumUp = (candidates: readonly Candidate[], nowMs: number): void => {
    summedAtMs = nowMs;
    sums = new Float64Array(candidates.length);
    const known = serviceMs.filter((ms) => ms > 0);
    const meanMs = known.length > 0 ? known.reduce((sum, ms) => sum + ms, 0) / known.length : 1;
    let sum = 0;
    for (const [i, { id }] of candidates.entries()) {
      sum += 1 / (serviceMs[indexOf(id)]! || meanMs);
      sums[i] = sum;
    }
  };
  const draw = (): number => {
    const at = rng() * sums.at(-1)!;
    let [low, high] = [0, sums.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle]! > at) high = middle;
      else low = middle + 1;
    }
    return low;
  };
  return {
    name: 'adaptive-w8',
    pick(candidates, request) {
      if (sums.length !== candidates.length || request.nowMs - summedAtMs >= SUMS_MS) sumUp(candidates, request.nowMs);
      let best: (typeof candidates)[number] | undefined;
      let least = Number.POSITIVE_INFINITY;
      for (let i = 0; i < SAMPLES && candidates.length > 0; i++) {
        const candidate = candidates[draw()]!;
        const score = scored.score!(candidate, request);
        if (best !== undefined && score >= least) continue;
        best = candidate;
        least = score;
      }
      return best;
    },
    onReport(candidate, report, nowMs) {
      scored.onReport!(candidate, report, nowMs);
      const i = indexOf(candidate.id);
      if (!report.isBesideAnswer || !(report.serviceMs > 0)) return;
      serviceMs[i] =
        serviceMs[i] === 0 ? report.serviceMs : serviceMs[i]! + SERVICE_ALPHA * (report.serviceMs - serviceMs[i]!);
    },
    onResponse: (candidate, outcome, latencyMs, nowMs) => scored.onResponse!(candidate, outcome, latencyMs, nowMs),
    onMembership: (candidates) => scored.onMembership!(candidates),
  };
};
