/** The token that made each balancer, for the quota of balancers. A balancer that settings or an operator made has no maker. */
import type { BalancerName } from '@rollcall/protocol';

export class BalancerMakers {
  readonly #byBalancer = new Map<BalancerName, string>();
  readonly #counts = new Map<string, number>();

  made(balancer: BalancerName, owner: string): void {
    this.forget(balancer);
    this.#byBalancer.set(balancer, owner);
    this.#counts.set(owner, this.balancersOf(owner) + 1);
  }

  forget(balancer: BalancerName): void {
    const owner = this.#byBalancer.get(balancer);
    if (owner === undefined) return;
    this.#byBalancer.delete(balancer);
    const count = this.balancersOf(owner) - 1;
    if (count === 0) this.#counts.delete(owner);
    else this.#counts.set(owner, count);
  }

  /** Number of known balancers that `owner` has made. */
  balancersOf(owner: string): number {
    return this.#counts.get(owner) ?? 0;
  }

  /** Owners, each with the number of known balancers that it has made. */
  all(): Iterable<readonly [owner: string, count: number]> {
    return this.#counts;
  }
}
