import type { FeedBalancer, FeedNode, FeedRememberedContext, FeedRememberedRoute, FeedSnapshot } from '@rollcall/feed';
import type { ClusterSnapshot } from '../cluster/cluster-view.ts';

/** Maximum number of parts of one snapshot: 100,000 nodes. */
const MAX_PARTS = 1_000;

/** Collects the parts of one snapshot. No part is applied before the snapshot is complete. */
export class SnapshotAssembly {
  readonly #nodes: FeedNode[] = [];
  readonly #balancers: FeedBalancer[] = [];
  readonly #remembered: FeedRememberedRoute[] = [];
  readonly #contexts: FeedRememberedContext[] = [];
  #next = 0;
  #parts = 1;

  /** Adds the next part; false when it is out of order, or exceeds the number of parts. */
  add({ part, parts, nodes, balancers, remembered, contexts = [] }: FeedSnapshot): boolean {
    if (part !== this.#next || parts < 1 || parts > MAX_PARTS || part >= parts) return false;
    if (part > 0 && parts !== this.#parts) return false;
    this.#next++;
    this.#parts = parts;
    for (const node of nodes) this.#nodes.push(node);
    for (const balancer of balancers) this.#balancers.push(balancer);
    for (const route of remembered) this.#remembered.push(route);
    for (const context of contexts) this.#contexts.push(context);
    return true;
  }

  /** The complete snapshot, or `undefined` while parts are missing. */
  whole(): ClusterSnapshot | undefined {
    if (this.#next < this.#parts) return undefined;
    return { nodes: this.#nodes, balancers: this.#balancers, remembered: this.#remembered, contexts: this.#contexts };
  }
}
