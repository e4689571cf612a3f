import type { Rule } from '../contender.ts';

/** A node without a report for this time is not chosen, milliseconds. */
const MAX_LAST_SEEN_MS = 10_000;

/**
 * `heartbeat` of httpd: a random node, in proportion to the free slots in its last report. An idle node counts with a quarter of
 * its slots. `slots` is the number of slots of one node (`MaxRequestWorkers`). Each pick reads all nodes.
 *
 * @see httpd `modules/proxy/balancers/mod_lbmethod_heartbeat.c`. If no slot is free, httpd answers 503; this rule picks a random node.
 */
export function heartbeat(slots: number): Rule {
  return ({ rng, world, indexOf }) => {
    const ready = new Float64Array(world.nodes);
    const seenAtMs = new Float64Array(world.nodes).fill(Number.NEGATIVE_INFINITY);
    const readyOf = (node: number): number => (world.nowMs() - seenAtMs[node]! < MAX_LAST_SEEN_MS ? ready[node]! : 0);
    return {
      name: 'heartbeat',
      pick(candidates) {
        let open = 0;
        for (const { id } of candidates) open += readyOf(indexOf(id));
        let left = rng() * open;
        for (const candidate of candidates) {
          left -= readyOf(indexOf(candidate.id));
          if (left < 0) return candidate;
        }
        return candidates[Math.floor(rng() * candidates.length)];
      },
      onReport({ id }, { isBesideAnswer, inFlight }, nowMs) {
        if (isBesideAnswer) return;
        const node = indexOf(id);
        seenAtMs[node] = nowMs;
        ready[node] = inFlight === 0 ? Math.floor(slots / 4) : Math.max(0, slots - inFlight);
      },
    };
  };
}
