/** Whether a change leaves enough nodes for the new work of a context: the disruption budget of its balancer. Pure. */
import type { NodeId } from '@rollcall/protocol';
import { canServe, type NodeFacts } from './unserved.ts';

/** Nodes that a change takes from new work: `lost` are not eligible after it, `standby` are standby nodes. */
export interface Disruption {
  readonly lost: ReadonlySet<NodeId>;
  readonly standby?: ReadonlySet<NodeId>;
}

/** Numbers of nodes of one context that get new work, before a change and after it. */
export interface EligibleCounts {
  readonly now: number;
  readonly after: number;
}

/**
 * Counts the nodes that get new work. Standby nodes count only while no other node is eligible, because they get new work only then.
 */
export function eligibleCounts(nodes: Iterable<NodeFacts>, { lost, standby }: Disruption): EligibleCounts {
  const [now, after] = [new FirstTier(), new FirstTier()];
  for (const node of nodes) {
    if (!canServe(node)) continue;
    const isStandby = node.isStandby === true;
    now.add(isStandby);
    if (!lost.has(node.id)) after.add(isStandby || standby?.has(node.id) === true);
  }
  return { now: now.count, after: after.count };
}

/** True when the change takes nodes from new work and leaves fewer than `minimum`. A change that takes none breaks no budget. */
export function breaksBudget({ now, after }: EligibleCounts, minimum: number): boolean {
  return after < now && after < minimum;
}

class FirstTier {
  #active = 0;
  #standby = 0;

  add(isStandby: boolean): void {
    if (isStandby) this.#standby++;
    else this.#active++;
  }

  get count(): number {
    return this.#active > 0 ? this.#active : this.#standby;
  }
}
