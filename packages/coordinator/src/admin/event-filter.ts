/** Which events a list or stream of events contains. */
import type { EventResource } from '@rollcall/protocol';
import { parseNodeId } from '@rollcall/protocol';
import type { Cluster } from '../cluster.ts';
import type { EventsQuery } from './schemas.ts';

/** The filter of a query. Events of a node belong to its balancer while the node is known. */
export function eventFilter({ registry }: Cluster, query: EventsQuery): (event: EventResource) => boolean {
  const { node, balancer, type, sinceUnixMs, untilUnixMs } = query;
  const types = type === undefined ? undefined : new Set(type.split(',').map((word) => word.trim()));
  const from = Number(sinceUnixMs ?? 0);
  const until = Number(untilUnixMs ?? Number.POSITIVE_INFINITY);
  const balancerOf = (event: EventResource): string | undefined => {
    const id = event.balancer === undefined && event.node !== undefined ? parseNodeId(event.node) : undefined;
    return event.balancer ?? (id && registry.node(id)?.registration.balancer);
  };
  return (event) =>
    (node === undefined || event.node === node) &&
    (types?.has(event.type) ?? true) &&
    event.atUnixMs >= from &&
    event.atUnixMs <= until &&
    (balancer === undefined || balancerOf(event) === balancer);
}
