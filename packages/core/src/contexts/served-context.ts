import type { BalancerName, ContextPath, FeedContext, HostPattern, NodeId } from '@rollcall/protocol';
import { TIERS, type Tier } from '../liveness/tier.ts';
import { ASK_NEW, isEligible } from './eligibility.ts';
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
  /** Eligible for new work, by tier. */
  readonly #tiers: Readonly<Record<Tier, N[]>> = {
    ready: [],
    reserve: [],
    'not-ready': [],
    suspect: [],
    returning: [],
  };

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
      if (isEligible(node, context, ASK_NEW)) this.#tiers[node.tier!].push(node);
    }
  }

  /** Nodes that may take new work: those of the first tier that has any. In no order. */
  get forNew(): readonly N[] {
    const { ready } = this.#tiers;
    if (ready.length > 0) return ready;
    for (const tier of TIERS) if (this.#tiers[tier].length > 0) return this.#tiers[tier];
    return ready;
  }

  /** The same beside nodes that were tried: of the first tier that has another one. */
  beside(tried: ReadonlySet<NodeId>): readonly N[] {
    if (tried.size === 0) return this.forNew;
    for (const tier of TIERS) if (this.#tiers[tier].some(({ id }) => !tried.has(id))) return this.#tiers[tier];
    return [];
  }

  /** Nodes that may take new work, by tier, the first tier first. */
  get byTier(): readonly (readonly N[])[] {
    return TIERS.map((tier) => this.#tiers[tier]);
  }

  /** May sessions stay on `node` here? False for a node that is stopped here or does not serve this context. */
  keepsSessions(node: N): boolean {
    const context = this.#statuses.get(node.id);
    return context !== undefined && context.status !== 'stopped';
  }

  /** This context as `node` serves it; `undefined` when it does not. */
  contextOf(node: N): FeedContext | undefined {
    return this.#statuses.get(node.id);
  }

  /** The node's tier has changed: put it where it belongs now. A repeat changes nothing. */
  update(node: N): void {
    const context = this.#statuses.get(node.id);
    const wanted = context !== undefined && isEligible(node, context, ASK_NEW) ? node.tier : undefined;
    for (const tier of TIERS) place(this.#tiers[tier], node, tier === wanted);
  }
}

function place<N>(nodes: N[], node: N, isWanted: boolean): void {
  const at = nodes.indexOf(node);
  if (isWanted) {
    if (at < 0) nodes.push(node);
  } else if (at >= 0) nodes.splice(at, 1);
}
