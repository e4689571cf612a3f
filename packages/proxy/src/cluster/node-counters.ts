/** Collects the counters and sessions of nodes that a worker reports to the coordinator. They are counted elsewhere. */
import { hashesIn, type NodeCounters, type WorkerSessions } from '@rollcall/feed';
import type { NodeId } from '@rollcall/protocol';
import type { ClusterNode } from './cluster-node.ts';

/** Counters of `node` on one worker at `nowMs`. */
export function countersOf(node: ClusterNode, nowMs: number): NodeCounters {
  const { counters, live } = node;
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
    bytesToNode: counters.bytesToNode,
    bytesFromNode: counters.bytesFromNode,
    latencyMs: live.latencyMs >= 0 ? live.latencyMs : -1,
    isEjected: node.isEjected,
    parked: counters.parked,
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
    one.bytesToNode === other.bytesToNode &&
    one.bytesFromNode === other.bytesFromNode &&
    one.latencyMs === other.latencyMs &&
    one.isEjected === other.isEjected &&
    one.parked === other.parked
  );
}
