import type { Rng } from '@rollcall/core';
import type { Rule } from '../contender.ts';

/** The answer to a probe. */
interface Probe {
  readonly node: number;
  inFlight: number;
  readonly latencyMs: number;
  readonly atMs: number;
  usesLeft: number;
}

const PROBES_PER_REQUEST = 3;
const POOL_SIZE = 16;
const PROBE_LIFE_MS = 1_000;
const REMOVED_PER_REQUEST = 1;
const REUSE_DELTA = 1;
/** Number of probes from which the distribution of requests in flight is estimated. */
const SEEN_SIZE = 128;

/**
 * Prequal: probes nodes in advance and picks the fastest cold node. A node is hot if its requests in flight reach the quantile
 * `hotFrom`, 0 … 1. The testbed of the paper has 0.84; at low load 0.6 is better here.
 *
 * @see Wydrowski, Kleinberg, Rumble, Archer, "Load is not what you should balance: Introducing Prequal", NSDI 2024.
 */
export function prequal(hotFrom: number): Rule {
  return ({ rng, world, indexOf }) => {
    const pool: Probe[] = [];
    const seen: number[] = [];
    let isOldestNext = true;
    const reuses =
      Math.max(1, (1 + REUSE_DELTA) / ((1 - POOL_SIZE / world.nodes) * PROBES_PER_REQUEST - REMOVED_PER_REQUEST)) || 1;
    return {
      name: `prequal-${hotFrom}`,
      pick(candidates) {
        const nowMs = world.nowMs();
        while (pool.length > 0 && nowMs - pool[0]!.atMs > PROBE_LIFE_MS) pool.shift();
        const threshold = quantile(seen, hotFrom);
        let chosen: number | undefined;
        if (pool.length >= 2) {
          const best = bestOf(pool, threshold);
          chosen = best.node;
          best.inFlight++;
          if (--best.usesLeft <= 0) pool.splice(pool.indexOf(best), 1);
        }
        for (let i = 0; i < REMOVED_PER_REQUEST && pool.length > 2; i++) {
          if (isOldestNext) pool.shift();
          else pool.splice(pool.indexOf(worstOf(pool, threshold)), 1);
          isOldestNext = !isOldestNext;
        }
        for (const { id } of drawn(PROBES_PER_REQUEST, candidates, rng)) {
          const node = indexOf(id);
          const inFlight = world.inFlight(node);
          seen.push(inFlight);
          if (seen.length > SEEN_SIZE) seen.shift();
          const usesLeft = Math.floor(reuses) + (rng() < reuses % 1 ? 1 : 0);
          pool.push({ node, inFlight, latencyMs: world.probedLatencyMs(node), atMs: nowMs, usesLeft });
          if (pool.length > POOL_SIZE) pool.shift();
        }
        if (chosen === undefined) return candidates[Math.floor(rng() * candidates.length)];
        return candidates.find(({ id }) => indexOf(id) === chosen) ?? candidates[0];
      },
    };
  };
}

function bestOf(pool: readonly Probe[], threshold: number): Probe {
  let coldest: Probe | undefined;
  let fewest = pool[0]!;
  for (const probe of pool) {
    if (probe.inFlight <= threshold && (coldest === undefined || probe.latencyMs < coldest.latencyMs)) coldest = probe;
    if (probe.inFlight < fewest.inFlight) fewest = probe;
  }
  return coldest ?? fewest;
}

function worstOf(pool: readonly Probe[], threshold: number): Probe {
  let slowest = pool[0]!;
  let hottest: Probe | undefined;
  for (const probe of pool) {
    if (probe.latencyMs > slowest.latencyMs) slowest = probe;
    if (probe.inFlight > threshold && (hottest === undefined || probe.inFlight > hottest.inFlight)) hottest = probe;
  }
  return hottest ?? slowest;
}

function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) return 0;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}

function drawn<C>(count: number, candidates: readonly C[], rng: Rng): Set<C> {
  const set = new Set<C>();
  while (set.size < Math.min(count, candidates.length)) set.add(candidates[Math.floor(rng() * candidates.length)]!);
  return set;
}
