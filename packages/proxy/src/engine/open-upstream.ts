/** Opens a connection to a node in the protocol of its address. */
import { AjpConnection, type AjpConnectionServices } from './ajp-connection.ts';
import type { Upstream } from './ends.ts';
import { NodeConnection, type NodeConnectionServices } from './node-connection.ts';
import type { UpstreamNode } from './router.ts';
import type { UpstreamPool } from './upstream-pool.ts';

/** Services of the engine that connections to nodes use. */
export interface UpstreamServices extends NodeConnectionServices, AjpConnectionServices {}

export function openUpstream(node: UpstreamNode, pool: UpstreamPool<Upstream>, services: UpstreamServices): Upstream {
  return node.isAjp ? new AjpConnection(node, pool, services) : new NodeConnection(node, pool, services);
}
