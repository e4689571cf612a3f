/** Collects the counters and sessions of nodes, and the counters of balancers, that a worker reports to the coordinator. They are counted elsewhere. */
import {
  type AnswerCounters,
  type BalancerCounters,
  hashesIn,
  type NodeCounters,
  RETRY_REASONS,
  STICKY_RESULTS,
  type WorkerSessions,
} from '@rollcall/feed';
import type { BalancerName, NodeId } from '@rollcall/protocol';
import type { LiveAnswers, LiveBalancerCounters } from '../engine/counters.ts';
import type { BalancerView } from './balancer-view.ts';
import type { ClusterNode } from './cluster-node.ts';

/** Counters of `node` on one worker at `nowMs`. */
export function countersOf(node: ClusterNode, nowMs: number): NodeCounters {
  const { counters, live } = node;
  const usedInLastMinute = node.sessions.usedInLastMinute(nowMs);
  return {
    id: node.id,
    inFlight: live.inFlight,
    tunnels: counters.tunnels,
    requests: counters.requests,
    failures: counters.failures,
    serverErrors: counters.serverErrors,
    newSessions: counters.newSessions,
    activeSessions: node.sessions.again(nowMs),
    sessionsSeenOnce: node.sessions.once(nowMs),
    ...(usedInLastMinute !== undefined && { usedInLastMinute }),
    bytesToNode: counters.bytesToNode,
    bytesFromNode: counters.bytesFromNode,
    latencyMs: live.latencyMs >= 0 ? live.latencyMs : -1,
    isEjected: node.isEjected,
    parked: counters.parked,
    answers: answersOf(counters.answers),
  };
}

/** Counters of the balancer `name` on one worker. */
export function balancerCountersOf(name: BalancerName, counters: LiveBalancerCounters): BalancerCounters {
  return {
    name,
    requests: counters.requests,
    answers: answersOf(counters.answers),
    failures: counters.failures,
    retries: RETRY_REASONS.map((reason) => counters.retries[reason]),
    failovers: counters.failovers,
    moved: counters.moved,
    unavailable: counters.unavailable,
    stickyResults: STICKY_RESULTS.map((result) => counters.stickyResults[result]),
    bytesToNode: counters.bytesToNode,
    bytesFromNode: counters.bytesFromNode,
  };
}

/** Without the zeros at the end of the histogram: most nodes have no slow answers. */
function answersOf({ statusClasses, latencyBuckets, latencySumMs }: LiveAnswers): AnswerCounters {
  let length = latencyBuckets.length;
  while (length > 0 && latencyBuckets[length - 1] === 0) length--;
  return {
    statusClasses: [...statusClasses],
    latencyBuckets: [...latencyBuckets.subarray(0, length)],
    latencySumMs,
  };
}

/** Nodes that one call reads, or an eighth of all: reading a thousand at once would delay requests. */
const NODES_A_CALL = 100;
const CALLS_FOR_ALL = 8;

/** Number of nodes that one call of a journal reads, out of all. */
export function partOf(nodes: number): number {
  return Math.max(NODES_A_CALL, Math.ceil(nodes / CALLS_FOR_ALL));
}

/** Iterates over the nodes in turn: each node once before any node twice. */
class Round {
  #start = 0;

  *next(nodes: readonly ClusterNode[], max: number): Generator<ClusterNode> {
    const count = Math.min(nodes.length, max);
    for (let i = 0; i < count; i++) {
      const node = nodes[this.#start % nodes.length]!;
      this.#start = (this.#start + 1) % nodes.length;
      yield node;
    }
  }
}

/** Finds counters that differ from the last report; the coordinator keeps the others. One journal per connection of the feed. */
export class CountersJournal {
  readonly #reported = new Map<NodeId, NodeCounters>();
  readonly #round = new Round();

  /**
   * Counters of nodes that were never reported or have changed since their report. It reads all nodes that are leaving,
   * because an operator waits for them, and the next `count` of the others.
   */
  take(nodes: readonly ClusterNode[], nowMs: number, count: number): NodeCounters[] {
    const changed: NodeCounters[] = [];
    for (const node of nodes) if (node.isLeaving) this.#look(node, nowMs, changed);
    for (const node of this.#round.next(nodes, count)) this.#look(node, nowMs, changed);
    if (this.#reported.size > nodes.length) this.#forgetAllBut(nodes);
    return changed;
  }

  #look(node: ClusterNode, nowMs: number, changed: NodeCounters[]): void {
    const counters = countersOf(node, nowMs);
    const before = this.#reported.get(node.id);
    if (before !== undefined && isSame(before, counters)) return;
    changed.push(counters);
    this.#reported.set(node.id, counters);
  }

  #forgetAllBut(nodes: readonly ClusterNode[]): void {
    const present = new Set(nodes.map(({ id }) => id));
    for (const id of this.#reported.keys()) if (!present.has(id)) this.#reported.delete(id);
  }
}

/** Finds balancers whose counters differ from the last report. One journal per connection of the feed. */
export class BalancersJournal {
  readonly #reported = new Map<BalancerName, BalancerCounters>();

  /** Counters of balancers that were never reported or have changed since their report. */
  take(balancers: ReadonlyMap<BalancerName, BalancerView>): BalancerCounters[] {
    const changed: BalancerCounters[] = [];
    for (const [name, { counters }] of balancers) {
      const before = this.#reported.get(name);
      if (before !== undefined && isSameBalancer(before, counters)) continue;
      const now = balancerCountersOf(name, counters);
      this.#reported.set(name, now);
      changed.push(now);
    }
    if (this.#reported.size > balancers.size)
      for (const name of this.#reported.keys()) if (!balancers.has(name)) this.#reported.delete(name);
    return changed;
  }
}

/** Finds sessions that were not sent to the coordinator yet. */
export class SessionsJournal {
  readonly #round = new Round();

  /** Sessions of the next `count` nodes, at most `max`; the others wait for the next call. */
  take(nodes: readonly ClusterNode[], nowMs: number, count: number, max: number): WorkerSessions['nodes'] {
    const samples: WorkerSessions['nodes'][number][] = [];
    let left = max;
    for (const node of this.#round.next(nodes, count)) {
      const sample = node.sessions.take(left, nowMs);
      if (sample !== undefined) {
        samples.push({ id: node.id, ...sample });
        left -= hashesIn(sample);
      }
      if (left <= 0) break;
    }
    return samples;
  }
}

function isSame(one: NodeCounters, other: NodeCounters): boolean {
  return (
    one.requests === other.requests &&
    one.inFlight === other.inFlight &&
    one.tunnels === other.tunnels &&
    one.failures === other.failures &&
    one.serverErrors === other.serverErrors &&
    one.newSessions === other.newSessions &&
    one.activeSessions === other.activeSessions &&
    one.sessionsSeenOnce === other.sessionsSeenOnce &&
    one.usedInLastMinute === other.usedInLastMinute &&
    one.bytesToNode === other.bytesToNode &&
    one.bytesFromNode === other.bytesFromNode &&
    one.latencyMs === other.latencyMs &&
    one.isEjected === other.isEjected &&
    one.parked === other.parked &&
    isSameAnswers(one.answers!, other.answers!)
  );
}

function isSameBalancer(one: BalancerCounters, other: LiveBalancerCounters): boolean {
  return (
    one.requests === other.requests &&
    one.failures === other.failures &&
    one.unavailable === other.unavailable &&
    one.failovers === other.failovers &&
    one.moved === other.moved &&
    one.bytesToNode === other.bytesToNode &&
    one.bytesFromNode === other.bytesFromNode &&
    RETRY_REASONS.every((reason, i) => one.retries[i] === other.retries[reason]) &&
    STICKY_RESULTS.every((result, i) => one.stickyResults[i] === other.stickyResults[result]) &&
    isSameAnswers(one.answers, other.answers)
  );
}

function isSameAnswers(one: AnswerCounters, other: AnswerCounters | LiveAnswers): boolean {
  if (one.latencySumMs !== other.latencySumMs) return false;
  for (let i = 0; i < one.statusClasses.length; i++) if (one.statusClasses[i] !== other.statusClasses[i]) return false;
  return true;
}
