/**
 * A node, or several that share one queue, as M/M/c: random arrivals, exponential service times, `c` servers, one queue.
 *
 * @see Kleinrock, "Queueing Systems" I, section 3.5, for the probability of waiting (Erlang's C) and the distribution of the time in the
 *   system.
 */

export interface Queue {
  readonly perSecond: number;
  /** Busy time per request on one server, milliseconds, above 0. */
  readonly serviceMs: number;
  /** A whole number, at least 1. */
  readonly servers: number;
}

/** Part of the time for which the servers are busy: above 1 the queue grows without end. */
export function utilisationOf({ perSecond, serviceMs, servers }: Queue): number {
  return (perSecond * serviceMs) / 1_000 / servers;
}

/** Probability that a request takes longer than `afterMs`, wait and service together; 1 for a queue that grows without end. */
export function tailOf(queue: Queue, afterMs: number): number {
  const { perSecond, serviceMs, servers } = queue;
  const offered = (perSecond * serviceMs) / 1_000;
  if (offered >= servers) return 1;
  const waiting = waitProbability(servers, offered);
  const services = afterMs / serviceMs;
  const spare = servers - 1 - offered;
  const shape = Math.abs(spare) < 1e-9 ? services : (1 - Math.exp(-services * spare)) / spare;
  return Math.min(1, Math.exp(-services) * (1 + waiting * shape));
}

/** Erlang's C by the recursion of Erlang's B, which stays within 0 … 1 for any number of servers. */
function waitProbability(servers: number, offered: number): number {
  let blocking = 1;
  for (let n = 1; n <= servers; n++) blocking = (offered * blocking) / (n + offered * blocking);
  return blocking / (1 - (offered / servers) * (1 - blocking));
}
