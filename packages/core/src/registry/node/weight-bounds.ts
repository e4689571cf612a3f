/**
 * Bounds the capacity that a node announces: weight × cores counts up to eight times the median of its balancer. A node that
 * announces the largest values would otherwise get nearly all requests. The operator's weight is not bounded.
 */
import type { BalancerName, Fault, NodeRegistration } from '@rollcall/protocol';
import { Median } from './median.ts';
import type { NodeRecord, NodeView } from './node-record.ts';

/** Times the median of weight × cores. */
export const MAX_CAPACITY_RATIO = 8;

export class WeightBounds {
  readonly #capacities = new Map<BalancerName, Median>();
  /** Balancers whose nodes have changed since `settle`. */
  readonly #changed = new Set<BalancerName>();
  readonly #clamped = new Set<NodeRecord>();

  /** Adds a node of this registration. */
  add({ balancer, ...announced }: NodeRegistration): void {
    const capacities = this.#capacities.get(balancer) ?? new Median();
    this.#capacities.set(balancer, capacities);
    capacities.add(capacityOf(announced));
    this.#changed.add(balancer);
  }

  /** Removes a node of this registration. */
  remove({ balancer, ...announced }: NodeRegistration): void {
    const capacities = this.#capacities.get(balancer);
    capacities?.remove(capacityOf(announced));
    if (capacities?.size === 0) this.#capacities.delete(balancer);
    this.#changed.add(balancer);
  }

  /** Updates the bounds, and yields the nodes whose bound has changed. Visits all nodes of a balancer only when one is beyond its bound. */
  *settle(inBalancer: (name: BalancerName) => Iterable<NodeRecord>): Generator<NodeRecord> {
    for (const balancer of this.#changed) {
      const capacities = this.#capacities.get(balancer);
      const bound = (capacities?.median ?? 0) * MAX_CAPACITY_RATIO;
      const isBeyond = (capacities?.largest ?? 0) > bound;
      const concerned = isBeyond ? [...inBalancer(balancer)] : [];
      for (const node of this.#clamped) if (node.registration.balancer === balancer) concerned.push(node);
      for (const node of new Set(concerned)) if (this.#bind(node, bound)) yield node;
    }
    this.#changed.clear();
  }

  #bind(node: NodeRecord, bound: number): boolean {
    const { registration, liveness } = node;
    const isBound = liveness !== 'gone' && capacityOf(registration) > bound;
    // Rounded, so that a bound such as 0.1 + 0.2 does not count as a change.
    const most = isBound ? Number((bound / coresOf(registration)).toPrecision(6)) : undefined;
    if (isBound) this.#clamped.add(node);
    else this.#clamped.delete(node);
    if (node.mostWeight === most) return false;
    node.mostWeight = most;
    return true;
  }
}

/** The warning for a node whose announced weight does not count in full, or nothing. */
export function weightWarning({ mostWeight, overrides, registration }: NodeView): Fault | undefined {
  if (mostWeight === undefined || overrides.weight !== undefined) return undefined;
  const cores = registration.cores === undefined ? '' : ` × ${registration.cores} cores`;
  return {
    code: 'weight-clamped',
    message: `weight ${registration.weight}${cores} is more than ${MAX_CAPACITY_RATIO} times the median of balancer ${registration.balancer}; it counts as weight ${mostWeight}. \`rollcall weight ${registration.id} N\` sets a weight without this bound`,
  };
}

function capacityOf(announced: Pick<NodeRegistration, 'weight' | 'cores'>): number {
  return announced.weight * coresOf(announced);
}

function coresOf({ cores = 1 }: Pick<NodeRegistration, 'cores'>): number {
  return cores;
}
