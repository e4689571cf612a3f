/**
 * Which node a route of a balancer belongs to. A route stays its node's for as long as the node is known, present or remembered. Of a
 * node that is gone another node of the same token may take it, and gets the sessions that name it (claims.ts).
 */
import type { BalancerName, NodeId, Route } from '@rollcall/protocol';

/** One string per route of a balancer; names hold no dot, so the join is unique. */
export type RouteKey = string;

export function routeKey(balancer: BalancerName, route: Route): RouteKey {
  return `${balancer}.${route}`;
}

export class RouteOwnership {
  readonly #holders = new Map<RouteKey, NodeId>();

  holder(balancer: BalancerName, route: Route): NodeId | undefined {
    return this.#holders.get(routeKey(balancer, route));
  }

  /** The route must be free or the node's own. */
  take(balancer: BalancerName, route: Route, id: NodeId): void {
    this.#holders.set(routeKey(balancer, route), id);
  }

  /** Gives a route free if `id` holds it. */
  release(balancer: BalancerName, route: Route, id: NodeId): void {
    const key = routeKey(balancer, route);
    if (this.#holders.get(key) === id) this.#holders.delete(key);
  }
}
