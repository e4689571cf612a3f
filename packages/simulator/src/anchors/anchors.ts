/** Published rules, for comparison. Each is written from its paper or program and cites it. */
import type { Candidate, LoadField, Rng } from '@rollcall/core';
import type { ContenderFactory } from '../contender.ts';

/** The candidate of least `score`, random among equals. */
function least<C extends Candidate>(
  candidates: readonly C[],
  rng: Rng,
  score: (candidate: C) => number,
): C | undefined {
  let best: C | undefined;
  let bestScore = Number.POSITIVE_INFINITY;
  let ties = 0;
  for (const candidate of candidates) {
    const value = score(candidate);
    if (value < bestScore) {
      best = candidate;
      bestScore = value;
      ties = 1;
    } else if (value === bestScore && rng() * ++ties < 1) best = candidate;
  }
  return best ?? candidates[0];
}

/** Any node. */
export const random: ContenderFactory = ({ rng }) => ({
  name: 'random',
  pick: (candidates) => candidates[Math.floor(rng() * candidates.length)],
});

/** The node with the fewest requests in flight from all proxies, which no proxy can know. */
export const joinShortestQueue: ContenderFactory = ({ rng, world, indexOf }) => ({
  name: 'oracle-jsq',
  pick: (candidates) => least(candidates, rng, ({ id }) => world.inFlight(indexOf(id))),
});

/** The node that would be done with everything first. */
export const leastBacklog: ContenderFactory = ({ rng, world, indexOf }) => ({
  name: 'oracle-backlog',
  pick: (candidates) => least(candidates, rng, ({ id }) => world.finishMs(indexOf(id))),
});

/** Weight of the newest value in the smoothed ones of C3. */
const C3_ALPHA = 0.1;

/**
 * C3: expected response time with a cubic queue.
 *
 * @see Suresh, Canini, Schmid, Feldmann, "C3: Cutting Tail Latency in Cloud Data Stores via Adaptive Replica Selection",
 *   NSDI 2015, section 3.1: R − s + (1 + os·n + q)³ · s.
 */
export const c3: ContenderFactory = ({ rng, world, indexOf }) => {
  const latency = new Float64Array(world.nodes);
  const service = new Float64Array(world.nodes);
  const queue = new Float64Array(world.nodes);
  const smooth = (values: Float64Array, at: number, value: number): void => {
    values[at] = values[at] === 0 ? value : values[at]! + C3_ALPHA * (value - values[at]!);
  };
  return {
    name: 'c3',
    pick: (candidates) =>
      least(candidates, rng, ({ id, live }) => {
        const i = indexOf(id);
        const q = 1 + live.inFlight * world.proxies + queue[i]!;
        return latency[i]! - service[i]! + q * q * q * service[i]!;
      }),
    onReport({ id }, report: LoadField) {
      smooth(service, indexOf(id), report.serviceMs);
      queue[indexOf(id)]! += C3_ALPHA * (report.inFlight - queue[indexOf(id)]!);
    },
    onResponse({ id }, outcome, latencyMs) {
      if (outcome === 'ok') smooth(latency, indexOf(id), latencyMs);
    },
  };
};

/** Answers that Traefik's mean is over. */
const LEAST_TIME_WINDOW = 100;

/** Traefik 3 `leasttime`: mean of the last 100 times to the first byte, times requests in flight and one. */
export const leastTime: ContenderFactory = ({ rng, world, indexOf }) => {
  const windows = Array.from({ length: world.nodes }, () => ({ values: [] as number[], next: 0, sum: 0 }));
  return {
    name: 'leasttime',
    pick: (candidates) =>
      least(candidates, rng, ({ id, live }) => {
        const { values, sum } = windows[indexOf(id)]!;
        return (values.length === 0 ? 0 : sum / values.length) * (1 + live.inFlight);
      }),
    onResponse({ id }, _outcome, latencyMs) {
      if (!(latencyMs >= 0)) return;
      const window = windows[indexOf(id)]!;
      if (window.values.length < LEAST_TIME_WINDOW) window.values.push(latencyMs);
      else {
        window.sum -= window.values[window.next]!;
        window.values[window.next] = latencyMs;
        window.next = (window.next + 1) % LEAST_TIME_WINDOW;
      }
      window.sum += latencyMs;
    },
  };
};
