import { type NodeCounters, type NodeId, SESSION_HASH_LENGTH, type WorkerSessions } from '@rollcall/protocol';
import type { ClusterNode } from './cluster-node.ts';

/** What one worker sees of `node` at `nowMs`. */
export function countersOf(node: ClusterNode, nowMs: number): NodeCounters {
  const { tally, live } = node;
  return {
    id: node.id,
    inFlight: live.inFlight,
    tunnels: tally.tunnels,
    requests: tally.requests,
    failures: tally.failures,
    serverErrors: tally.serverErrors,
    newSessions: tally.newSessions,
    activeSessions: node.sessions.count(nowMs),
    bytesToNode: tally.bytesToNode,
    bytesFromNode: tally.bytesFromNode,
    latencyMs: live.latencyMs >= 0 ? live.latencyMs : -1,
    isEjected: node.isEjected,
    parked: tally.parked,
  };
}

/** Nodes that one call looks at, or an eighth of all: a thousand at once would keep requests waiting. */
const NODES_A_CALL = 100;
const CALLS_FOR_ALL = 8;

/** How many of so many nodes one call of a journal looks at. */
export function partOf(nodes: number): number {
  return Math.max(NODES_A_CALL, Math.ceil(nodes / CALLS_FOR_ALL));
}

/** Goes through the nodes in turn: everybody once before anybody twice. */
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

/** Counters that differ from what was told last; the coordinator keeps the rest. One per connection of the feed. */
export class CountersJournal {
  readonly #told = new Map<NodeId, NodeCounters>();
  readonly #round = new Round();

  /**
   * Counters of nodes whose numbers have changed since they were told, and of those never told: of all that are
   * leaving, for which somebody waits, and of the next `count` of the others.
   */
  take(nodes: readonly ClusterNode[], nowMs: number, count: number): NodeCounters[] {
    const changed: NodeCounters[] = [];
    for (const node of nodes) if (node.isLeaving) this.#look(node, nowMs, changed);
    for (const node of this.#round.next(nodes, count)) this.#look(node, nowMs, changed);
    if (this.#told.size > nodes.length) this.#forgetAllBut(nodes);
    return changed;
  }

  #look(node: ClusterNode, nowMs: number, changed: NodeCounters[]): void {
    const counters = countersOf(node, nowMs);
    const before = this.#told.get(node.id);
    if (before !== undefined && isSame(before, counters)) return;
    changed.push(counters);
    this.#told.set(node.id, counters);
  }

  #forgetAllBut(nodes: readonly ClusterNode[]): void {
    const present = new Set(nodes.map(({ id }) => id));
    for (const id of this.#told.keys()) if (!present.has(id)) this.#told.delete(id);
  }
}

/** Sessions of the nodes that the coordinator has not been told of. */
export class SessionsJournal {
  readonly #round = new Round();

  /** Of the next `count` nodes, at most `max` sessions; the others wait for the next call. */
  take(nodes: readonly ClusterNode[], nowMs: number, count: number, max: number): WorkerSessions['nodes'] {
    const told: WorkerSessions['nodes'][number][] = [];
    let left = max;
    for (const node of this.#round.next(nodes, count)) {
      const sample = node.sessions.take(left, nowMs);
      if (sample !== undefined) {
        told.push({ id: node.id, ...sample });
        for (const [, hashes] of sample.seen) left -= hashes.length / SESSION_HASH_LENGTH;
      }
      if (left <= 0) break;
    }
    return told;
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
    one.bytesToNode === other.bytesToNode &&
    one.bytesFromNode === other.bytesFromNode &&
    one.latencyMs === other.latencyMs &&
    one.isEjected === other.isEjected &&
    one.parked === other.parked
  );
}
