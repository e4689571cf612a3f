/** Where a node differs from its peers, so that only such figures are marked. */

import type { NodeRow } from '@rollcall/protocol';
import { errorRatio } from './figures.ts';

/** Smallest ratio of errors that is marked. */
const ERROR_RATIO = 0.05;
/** Times the median latency of the peers, and milliseconds, from which a node is slow. */
const SLOW_RATIO = 5;
const SLOW_MS = 250;

/** Median figures of the nodes of a balancer. */
export interface Peers {
  readonly errorRatio: number;
  readonly latencyMs: number;
}

/** Medians by balancer. Of two nodes the lower one: a node must not be measured by itself. */
export function peersByBalancer(nodes: Readonly<Record<string, NodeRow>>): ReadonlyMap<string, Peers> {
  const found = new Map<string, { errors: number[]; latencies: number[] }>();
  for (const { balancer, rates, latencyMs } of Object.values(nodes)) {
    const of = found.get(balancer) ?? { errors: [], latencies: [] };
    found.set(balancer, of);
    const ratio = errorRatio(rates);
    if (ratio !== undefined) of.errors.push(ratio);
    if (latencyMs !== undefined) of.latencies.push(latencyMs);
  }
  return new Map(
    [...found].map(([name, { errors, latencies }]) => [
      name,
      { errorRatio: median(errors), latencyMs: median(latencies) },
    ]),
  );
}

export function isFailing({ rates }: NodeRow, peers: Peers | undefined): boolean {
  const ratio = errorRatio(rates) ?? 0;
  return ratio >= ERROR_RATIO && ratio >= 2 * (peers?.errorRatio ?? 0);
}

export function isSlow({ latencyMs = 0 }: NodeRow, peers: Peers | undefined): boolean {
  return latencyMs > Math.max(SLOW_MS, SLOW_RATIO * (peers?.latencyMs ?? 0));
}

function median(values: number[]): number {
  values.sort((one, other) => one - other);
  return values[(values.length - 1) >> 1] ?? 0;
}
