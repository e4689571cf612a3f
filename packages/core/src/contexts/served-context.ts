import type { BalancerName, ContextPath, FeedContext, HostPattern, NodeId } from '@rollcall/protocol';
import { ASK_NEW, ASK_SESSION, isEligible } from './eligibility.ts';
import type { MemberNode } from './member-node.ts';

/**
 * One context on one host with the nodes that serve it. Its members and their statuses never change; who of them is
 * eligible for new sessions does, in place, through `update` alone, so that a request never filters.
 */
export class ServedContext<N extends MemberNode, A> {
  readonly host: HostPattern;
  readonly path: ContextPath;
  readonly balancer: BalancerName;
  /** What the builder of the table attached to this balancer and context: its algorithms. */
  readonly attached: A;
  /** All nodes that serve it, eligible or not. Empty for a while after the last one is gone. */
  readonly members: readonly N[];
  /** Instant the last member went; `undefined` while there are members. */
  readonly emptySinceMs: number | undefined;
  readonly #statuses = new Map<NodeId, FeedContext>();
  readonly #active: N[] = [];
  readonly #reserve: N[] = [];

  constructor(
    at: { readonly host: HostPattern; readonly path: ContextPath; readonly balancer: BalancerName },
    members: readonly N[],
    attached: A,
    emptySinceMs: number | undefined,
  ) {
    this.host = at.host;
    this.path = at.path;
    this.balancer = at.balancer;
    this.members = members;
    this.attached = attached;
    this.emptySinceMs = emptySinceMs;
    for (const node of members) {
      const context = node.contexts.find(({ path }) => path === at.path);
      if (!context) continue;
      this.#statuses.set(node.id, context);
      if (isEligible(node, context, ASK_NEW)) (isReserve(node) ? this.#reserve : this.#active).push(node);
    }
  }

  /** Nodes that may take new sessions and requests without one; standby nodes and outliers only when there is nobody else. In no order. */
  get forNew(): readonly N[] {
    return this.#active.length > 0 ? this.#active : this.#reserve;
  }

  /** May `node` take requests of its own sessions here? False for nodes that do not serve this context. */
  keepsSessions(node: N): boolean {
    const context = this.#statuses.get(node.id);
    return context !== undefined && isEligible(node, context, ASK_SESSION);
  }

  /** This context as `node` serves it; `undefined` when it does not. */
  contextOf(node: N): FeedContext | undefined {
    return this.#statuses.get(node.id);
  }

  /** The node's liveness or ejection has changed: put it where it belongs now. A repeat changes nothing. */
  update(node: N): void {
    const context = this.#statuses.get(node.id);
    const isWanted = context !== undefined && isEligible(node, context, ASK_NEW);
    place(this.#active, node, isWanted && !isReserve(node));
    place(this.#reserve, node, isWanted && isReserve(node));
  }
}

function isReserve({ isStandby, isOutlier }: MemberNode): boolean {
  return isStandby || isOutlier;
}

function place<N>(nodes: N[], node: N, isWanted: boolean): void {
  const at = nodes.indexOf(node);
  if (isWanted) {
    if (at < 0) nodes.push(node);
  } else if (at >= 0) nodes.splice(at, 1);
}
