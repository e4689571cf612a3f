/**
 * The node that holds a route of a balancer. A node holds its route while it is known, present or remembered. Another node of the same
 * token may take the route of a gone node, and gets the sessions that name it (claims.ts).
 */
import type { BalancerName, NodeId, Route } from '@rollcall/protocol';

/** One string per route of a balancer; names of balancers contain no dot, so the join is unique. */
export type RouteKey = string;

export function routeKey(balancer: BalancerName, route: Route): RouteKey {
  return `${balancer}.${route}`;
}

export class RouteOwnership {
  readonly #holders = new Map<RouteKey, NodeId>();

  holder(balancer: BalancerName, route: Route): NodeId | undefined {
    return this.#holders.get(routeKey(balancer, route));
  }

  /** Assigns a route, which must be free or the node's own. */
  take(balancer: BalancerName, route: Route, id: NodeId): void {
    this.#holders.set(routeKey(balancer, route), id);
  }

  /** Releases a route if `id` holds it. */
  release(balancer: BalancerName, route: Route, id: NodeId): void {
    const key = routeKey(balancer, route);
    if (this.#holders.get(key) === id) this.#holders.delete(key);
  }
}
