/**
 * The last report of each connected worker on the nodes' ports. A connected worker without a report on a node counts as `unknown`:
 * workers report all ports after each connect.
 */
import type { NodeId, PortReport } from '@rollcall/protocol';

/** Number of connected workers by their report on one node. The sum is the number of connected workers. */
export type PortCounts = Readonly<Record<PortReport, number>>;

/** Best first. */
const ORDER: readonly PortReport[] = ['answers', 'unknown', 'unresponsive', 'refused', 'given-up'];

export class PortReports {
  readonly #connected = new Set<string>();
  readonly #byNode = new Map<NodeId, Map<string, PortReport>>();

  isConnected(worker: string): boolean {
    return this.#connected.has(worker);
  }

  /** Adds a worker that has connected. Reports of an earlier connection are dropped. Returns the nodes of these reports. */
  join(worker: string): readonly NodeId[] {
    const about = this.#drop(worker);
    this.#connected.add(worker);
    return about;
  }

  /** Removes a worker that is no longer connected. Returns the nodes of its reports. */
  leave(worker: string): readonly NodeId[] {
    this.#connected.delete(worker);
    return this.#drop(worker);
  }

  /** Stores the report of a connected worker. */
  set(worker: string, id: NodeId, port: PortReport): void {
    let reports = this.#byNode.get(id);
    if (reports === undefined) {
      reports = new Map();
      this.#byNode.set(id, reports);
    }
    reports.set(worker, port);
  }

  /** Drops the reports on a node that has another process or address, or is gone. */
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

  /** The best report of any connected worker; `unknown` without a worker. */
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

  /** Nodes with a report of any connected worker. */
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
