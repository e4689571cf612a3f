import type { NodeId, PortReport, WorkerPorts } from '@rollcall/protocol';
import type { ClusterNode } from './cluster-node.ts';

/** Between two reports that a node still answers, for a coordinator that does not hear it, milliseconds. */
const REPEAT_MS = 1_000;

interface Told {
  readonly port: PortReport;
  readonly atMs: number;
}

/**
 * What the coordinator was told of ports over one connection of the feed: each change, and once a second that a node answers whose
 * heartbeats do not say so.
 */
export class PortsJournal {
  readonly #told = new Map<NodeId, Told>();

  /** What is to be told at `nowMs`; empty when nothing is. */
  take(nodes: Iterable<ClusterNode>, nowMs: number): WorkerPorts['ports'] {
    const news: [NodeId, PortReport][] = [];
    for (const node of nodes) {
      const told = this.#told.get(node.id);
      const port = this.#reportOf(node, told, nowMs);
      const repeats = port === 'answers' && !(node.hasAgent && node.liveness === 'up');
      const isNews = port !== (told?.port ?? 'unknown');
      const isSign =
        repeats &&
        node.watch.answeredAtMs > (told?.atMs ?? -Infinity) &&
        nowMs - (told?.atMs ?? -Infinity) >= REPEAT_MS;
      if (!isNews && !isSign) continue;
      news.push([node.id, port]);
      this.#told.set(node.id, { port, atMs: nowMs });
    }
    return news;
  }

  /** The node is gone. */
  forget(id: NodeId): void {
    this.#told.delete(id);
  }

  /** A heard node that has answered and was asked nothing since is no news: it stays at `answers`. */
  #reportOf(node: ClusterNode, told: Told | undefined, nowMs: number): PortReport {
    const port = node.watch.report(nowMs);
    const isIdle = port === 'unknown' && node.hasAgent && node.liveness === 'up' && told?.port === 'answers';
    return isIdle ? 'answers' : port;
  }
}
