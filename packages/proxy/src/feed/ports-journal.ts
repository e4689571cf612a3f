import type { WorkerPorts } from '@rollcall/feed';
import type { NodeId, PortReport } from '@rollcall/protocol';
import type { ClusterNode } from '../cluster/cluster-node.ts';

/** Time between two reports that a node still answers, for a coordinator without heartbeats of it, milliseconds. */
const REPEAT_MS = 1_000;

interface Reported {
  readonly port: PortReport;
  readonly atMs: number;
}

/**
 * Port states that were reported over one connection of the feed. Each change is reported. A node that answers without
 * heartbeats is reported once a second.
 */
export class PortsJournal {
  readonly #reported = new Map<NodeId, Reported>();

  /** The reports due at `nowMs`; empty when none is. */
  take(nodes: Iterable<ClusterNode>, nowMs: number): WorkerPorts['ports'] {
    const news: [NodeId, PortReport][] = [];
    for (const node of nodes) {
      const before = this.#reported.get(node.id);
      const port = this.#reportOf(node, before, nowMs);
      const repeats = port === 'answers' && !(node.feedNode.hasAgent && node.feedNode.liveness === 'up');
      const isNews = port !== (before?.port ?? 'unknown');
      const isSign =
        repeats &&
        node.watch.answeredAtMs > (before?.atMs ?? -Infinity) &&
        nowMs - (before?.atMs ?? -Infinity) >= REPEAT_MS;
      if (!isNews && !isSign) continue;
      news.push([node.id, port]);
      this.#reported.set(node.id, { port, atMs: nowMs });
    }
    return news;
  }

  /** The node is gone. */
  forget(id: NodeId): void {
    this.#reported.delete(id);
  }

  /** A node with heartbeats that has answered and got no request since is not reported: its state stays `answers`. */
  #reportOf(node: ClusterNode, before: Reported | undefined, nowMs: number): PortReport {
    const port = node.watch.report(nowMs);
    const isIdle =
      port === 'unknown' && node.feedNode.hasAgent && node.feedNode.liveness === 'up' && before?.port === 'answers';
    return isIdle ? 'answers' : port;
  }
}
