import { type NodeCounters, type NodeId, SESSIONS_PER_SECOND, type WorkerSessions } from '@rollcall/protocol';
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
  };
}

/** Counters that differ from what was told last; the coordinator keeps the rest. One per connection of the feed. */
export class CountersJournal {
  #told = new Map<NodeId, NodeCounters>();

  /** Counters of the nodes whose numbers have changed since the last call, and of those never told. */
  take(nodes: Iterable<ClusterNode>, nowMs: number): NodeCounters[] {
    const changed: NodeCounters[] = [];
    const told = new Map<NodeId, NodeCounters>();
    for (const node of nodes) {
      const counters = countersOf(node, nowMs);
      const before = this.#told.get(node.id);
      if (before === undefined || !isSame(before, counters)) changed.push(counters);
      told.set(node.id, counters);
    }
    this.#told = told;
    return changed;
  }
}

/**
 * Sessions of the nodes that the coordinator has not been told of, at most 16,384 a call; the others wait for the next.
 * Call it at most once a second.
 */
export class SessionsJournal {
  /** Where the next call begins, so that a node with many new sessions keeps nobody waiting for ever. */
  #start = 0;

  take(nodes: Iterable<ClusterNode>, nowMs: number): WorkerSessions['nodes'] {
    const all = [...nodes];
    const told: WorkerSessions['nodes'][number][] = [];
    let left = SESSIONS_PER_SECOND;
    let passed = 0;
    for (; passed < all.length && left > 0; passed++) {
      const node = all[(this.#start + passed) % all.length]!;
      const sample = node.sessions.take(left, nowMs);
      if (sample === undefined) continue;
      told.push({ id: node.id, ...sample });
      for (const [, hashes] of sample.seen) left -= hashes.length / 8;
    }
    this.#start = all.length === 0 ? 0 : (this.#start + passed) % all.length;
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
    one.isEjected === other.isEjected
  );
}
