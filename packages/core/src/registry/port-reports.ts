/**
 * What each connected worker last reported of the nodes' ports. A worker that is connected and has reported nothing of a node
 * counts as `unknown`: workers report all ports after each connect.
 */
import type { NodeId, PortReport } from '@rollcall/protocol';

/** How many connected workers say what of one node. The sum is the number of connected workers. */
export type PortCounts = Readonly<Record<PortReport, number>>;

/** Best first. */
const ORDER: readonly PortReport[] = ['answers', 'unknown', 'unresponsive', 'refused', 'given-up'];

export class PortReports {
  readonly #connected = new Set<string>();
  readonly #byNode = new Map<NodeId, Map<string, PortReport>>();

  isConnected(worker: string): boolean {
    return this.#connected.has(worker);
  }

  /** A worker has connected. Reports of an earlier connection no longer hold. Returns the nodes they were about. */
  join(worker: string): readonly NodeId[] {
    const about = this.#drop(worker);
    this.#connected.add(worker);
    return about;
  }

  /** A worker is no longer connected. Returns the nodes that its reports were about. */
  leave(worker: string): readonly NodeId[] {
    this.#connected.delete(worker);
    return this.#drop(worker);
  }

  /** Takes the report of a connected worker. */
  set(worker: string, id: NodeId, port: PortReport): void {
    let reports = this.#byNode.get(id);
    if (reports === undefined) {
      reports = new Map();
      this.#byNode.set(id, reports);
    }
    reports.set(worker, port);
  }

  /** The node has another process or address, or is gone: reports of the earlier one say nothing of it. */
  forgetNode(id: NodeId): void {
    this.#byNode.delete(id);
  }

  /** Reports of one node, in order of the workers' names. */
  of(id: NodeId): { readonly worker: string; readonly port: PortReport }[] {
    return [...(this.#byNode.get(id) ?? [])]
      .map(([worker, port]) => ({ worker, port }))
      .sort((one, other) => (one.worker < other.worker ? -1 : 1));
  }

  counts(id: NodeId): PortCounts {
    const counts = { answers: 0, unknown: this.#connected.size, unresponsive: 0, refused: 0, 'given-up': 0 };
    for (const port of this.#byNode.get(id)?.values() ?? []) {
      counts.unknown -= 1;
      counts[port] += 1;
    }
    return counts;
  }

  /** The best that any connected worker reports; `unknown` without one. */
  best(id: NodeId): PortReport {
    const counts = this.counts(id);
    return ORDER.find((port) => counts[port] > 0) ?? 'unknown';
  }

  /** True when there are connected workers and all of them have given the node up. */
  isGivenUp(id: NodeId): boolean {
    const reports = this.#byNode.get(id);
    if (reports === undefined || reports.size < this.#connected.size) return false;
    for (const port of reports.values()) if (port !== 'given-up') return false;
    return reports.size > 0;
  }

  /** Nodes of which any connected worker has reported. */
  nodes(): IterableIterator<NodeId> {
    return this.#byNode.keys();
  }

  #drop(worker: string): readonly NodeId[] {
    const about: NodeId[] = [];
    for (const [id, reports] of this.#byNode) {
      if (!reports.delete(worker)) continue;
      about.push(id);
      if (reports.size === 0) this.#byNode.delete(id);
    }
    return about;
  }
}
