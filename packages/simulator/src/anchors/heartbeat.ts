import type { Rule } from '../contender.ts';

/** A node that was not heard of for so long is not chosen. */
const MAX_LAST_SEEN_MS = 10_000;

/**
 * httpd's `heartbeat`: a node by chance, in proportion to the slots that its last report left free, a quarter of them when it
 * is idle. `slots` are those of one node, as `MaxRequestWorkers` sets them. One pass over all nodes per pick.
 *
 * @see httpd `modules/proxy/balancers/mod_lbmethod_heartbeat.c`. With no slot free anywhere it answers 503; here chance decides.
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
