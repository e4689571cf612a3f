/** Published rules, for comparison. Each implements its paper or program and cites it. */
import type { Candidate, Rng } from '@rollcall/core';
import type { Rule } from '../contender.ts';

/** The candidate with the lowest `score`; a random one of equals. */
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

/** A random node. */
export const random: Rule = ({ rng }) => ({
  name: 'random',
  pick: (candidates) => candidates[Math.floor(rng() * candidates.length)],
});

/** Oracle: the node with the fewest requests in flight from all proxies. */
export const joinShortestQueue: Rule = ({ rng, world, indexOf }) => ({
  name: 'oracle-jsq',
  pick: (candidates) => least(candidates, rng, ({ id }) => world.inFlight(indexOf(id))),
});

/** Oracle: the node that would complete a new request first. */
export const leastBacklog: Rule = ({ rng, world, indexOf }) => ({
  name: 'oracle-backlog',
  pick: (candidates) => least(candidates, rng, ({ id }) => world.finishMs(indexOf(id))),
});

/** Weight of the newest value in the smoothed values of C3. */
const C3_ALPHA = 0.1;

/**
 * C3: expected response time with a cubic queue.
 *
 * Score: R − s + (1 + os·n + q)³ · s.
 *
 * @see Suresh, Canini, Schmid, Feldmann, "C3: Cutting Tail Latency in Cloud Data Stores via Adaptive Replica Selection",
 *   NSDI 2015, section 3.1.
 */
export const c3: Rule = ({ rng, world, indexOf }) => {
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
    onReport({ id }, report) {
      if (!report.isBesideAnswer) return;
      smooth(service, indexOf(id), report.serviceMs);
      queue[indexOf(id)]! += C3_ALPHA * (Math.max(0, report.inFlight - 1) - queue[indexOf(id)]!);
    },
    onResponse({ id }, outcome, latencyMs) {
      if (outcome === 'ok') smooth(latency, indexOf(id), latencyMs);
    },
  };
};

/** Number of answers in the mean of Traefik. */
const LEAST_TIME_WINDOW = 100;

/**
 * `leasttime` of Traefik 3. Score: mean of the last 100 times to the first byte · (requests in flight + 1). Requests that a cookie
 * binds to a node are neither counted nor timed (`Contender.ignoresBound`).
 *
 * @see traefik `pkg/server/service/loadbalancer/leasttime/leasttime.go`, where `ServeHTTP` returns before the counters.
 */
export const leastTime: Rule = ({ rng, world, indexOf }) => {
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

/** Time constant of the decay of a peak, milliseconds. */
const PEAK_TAU_MS = 10_000;
/** Cost of a node with requests but without an answer yet. */
const PEAK_PENALTY_MS = 1e9;

/**
 * Peak EWMA: of two random nodes the one with the lower `cost · (requests in flight + 1)`. A cost jumps to a higher latency and decays
 * towards a lower one. Reading a cost observes a latency of 0. The more often a cost is read, the less answers below the peak
 * count.
 *
 * @see Finagle `PeakEwma.scala`, tower `peak_ewma.rs`.
 */
export const peakEwma: Rule = ({ rng, world, indexOf }) => {
  const cost = new Float64Array(world.nodes);
  const seenAtMs = new Float64Array(world.nodes);
  const observe = (i: number, latencyMs: number, nowMs: number): void => {
    const weight = Math.exp(-(nowMs - seenAtMs[i]!) / PEAK_TAU_MS);
    cost[i] = latencyMs > cost[i]! ? latencyMs : cost[i]! * weight + latencyMs * (1 - weight);
    seenAtMs[i] = nowMs;
  };
  const load = ({ id, live }: Candidate): number => {
    const i = indexOf(id);
    observe(i, 0, world.nowMs());
    return cost[i] === 0 && live.inFlight > 0 ? PEAK_PENALTY_MS + live.inFlight : cost[i]! * (live.inFlight + 1);
  };
  return {
    name: 'peak-ewma',
    pick(candidates) {
      if (candidates.length < 2) return candidates[0];
      const first = Math.floor(rng() * candidates.length);
      let second = Math.floor(rng() * (candidates.length - 1));
      if (second >= first) second++;
      const [one, other] = [candidates[first]!, candidates[second]!];
      return load(other) < load(one) ? other : one;
    },
    onResponse({ id }, outcome, latencyMs, nowMs) {
      if (outcome === 'ok') observe(indexOf(id), latencyMs, nowMs);
    },
  };
};

/** Interval at which weights are computed. */
const WEIGHTS_MS = 1_000;

/**
 * Weighted round robin, with weights from reports only. Weight: requests per second / utilisation = 1 / busy time of a request.
 * Nodes without a report have the mean weight.
 *
 * @see gRPC proposal A58, `weighted_round_robin`.
 */
export const weightedRoundRobin: Rule = ({ rng, world, indexOf }) => {
  const reported = new Float64Array(world.nodes);
  const weights = new Float64Array(world.nodes).fill(1);
  const dueAt = new Float64Array(world.nodes);
  let reckonedAtMs = Number.NEGATIVE_INFINITY;
  let turn = 0;
  return {
    name: 'wrr',
    pick(candidates) {
      if (world.nowMs() - reckonedAtMs >= WEIGHTS_MS) {
        reckonedAtMs = world.nowMs();
        const known = candidates.map(({ id }) => reported[indexOf(id)]!).filter((weight) => weight > 0);
        const mean = known.length === 0 ? 1 : known.reduce((sum, weight) => sum + weight, 0) / known.length;
        for (const { id } of candidates) weights[indexOf(id)] = reported[indexOf(id)]! || mean;
        for (const { id } of candidates)
          if (dueAt[indexOf(id)]! <= turn) dueAt[indexOf(id)] = turn + rng() / weights[indexOf(id)]!;
      }
      const picked = least(candidates, rng, ({ id }) => dueAt[indexOf(id)]!);
      if (picked === undefined) return undefined;
      const i = indexOf(picked.id);
      turn = dueAt[i]!;
      dueAt[i] = turn + 1 / weights[i]!;
      return picked;
    },
    onReport({ id }, { isBesideAnswer, serviceMs }) {
      if (!isBesideAnswer && serviceMs > 0) reported[indexOf(id)] = 1 / serviceMs;
    },
  };
};
