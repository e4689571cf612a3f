import type { FeedContext } from '@rollcall/feed';
import type { BalancerName, ContextPath, HostPattern, NodeId } from '@rollcall/protocol';
import { TIERS, type Tier } from '../liveness/tier.ts';
import { ASK_NEW, isEligible } from './eligibility.ts';
import type { MemberNode } from './member-node.ts';

/**
 * One context on one host with the nodes that serve it. Its members and their statuses never change. Only `update`
 * changes, in place, which of them are eligible for new sessions, so that a request never filters.
 */
export class ServedContext<N extends MemberNode, A> {
  readonly host: HostPattern;
  readonly path: ContextPath;
  readonly balancer: BalancerName;
  /** The attachment of this balancer and context, from the builder of the table: its algorithms. */
  readonly attached: A;
  /** All nodes that serve it, eligible or not. Empty for a while after the last one is gone. */
  readonly members: readonly N[];
  /** Instant at which the last member left; `undefined` while there are members. */
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
  /** Position of each node in `#tiers`, so that no update searches ten thousand nodes. */
  readonly #places = new Map<NodeId, TierPlace>();

  constructor(
    {
      host,
      path,
      balancer,
      members,
      entries,
    }: Pick<ServedContext<N, A>, 'host' | 'path' | 'balancer' | 'members'> & {
      /** This context as each of the members serves it. */
      readonly entries: readonly FeedContext[];
    },
    attached: A,
    emptySinceMs: number | undefined,
  ) {
    this.host = host;
    this.path = path;
    this.balancer = balancer;
    this.members = members;
    this.attached = attached;
    this.emptySinceMs = emptySinceMs;
    for (const [i, node] of members.entries()) {
      const context = entries[i]!;
      this.#statuses.set(node.id, context);
      if (isEligible(node, context, ASK_NEW)) this.#add(node, node.tier!);
    }
  }

  /** Nodes that may take new work: the nodes of the first tier that has any. In no order. */
  get forNew(): readonly N[] {
    const { ready } = this.#tiers;
    if (ready.length > 0) return ready;
    for (const tier of TIERS) if (this.#tiers[tier].length > 0) return this.#tiers[tier];
    return ready;
  }

  /** As `forNew`, after the nodes in `tried`: the nodes of the first tier that has an untried one. */
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

  /** Moves the node to its tier after a change. Idempotent. */
  update(node: N): void {
    const context = this.#statuses.get(node.id);
    const tier = context !== undefined && isEligible(node, context, ASK_NEW) ? node.tier : undefined;
    const before = this.#places.get(node.id);
    if (tier === before?.tier) return;
    if (before !== undefined) this.#remove(node.id, before);
    if (tier !== undefined) this.#add(node, tier);
  }

  #add(node: N, tier: Tier): void {
    this.#places.set(node.id, { tier, at: this.#tiers[tier].push(node) - 1 });
  }

  /** Removes in constant time: the last node of the tier takes the free position. */
  #remove(id: NodeId, { tier, at }: TierPlace): void {
    this.#places.delete(id);
    const nodes = this.#tiers[tier];
    const last = nodes.pop()!;
    if (at === nodes.length) return;
    nodes[at] = last;
    this.#places.get(last.id)!.at = at;
  }
}

interface TierPlace {
  readonly tier: Tier;
  at: number;
}
