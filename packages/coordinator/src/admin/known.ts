/** Finds the resource that a path names, or ends the request with 404 and similar names. */
import type { BalancerName, NodeId } from '@rollcall/protocol';
import { parseBalancerName, parseNodeId } from '@rollcall/protocol';
import type { FastifyRequest } from 'fastify';
import type { Cluster } from '../cluster.ts';
import { nearest } from './nearest.ts';
import { nodeTag, unmatched } from './record-tags.ts';
import { Refusal } from './refusal.ts';

const MAX_SUGGESTIONS = 3;

export function knownNode(cluster: Cluster, text: string): NodeId {
  const id = parseNodeId(text);
  if (id !== undefined && cluster.registry.node(id) !== undefined) return id;
  throw unknown('node', text, idsOf(cluster));
}

/** The same for a write: ends with 412 if its `If-Match` does not match the present tag of the node. */
export function matchedNode(cluster: Cluster, text: string, { headers }: FastifyRequest): NodeId {
  const id = knownNode(cluster, text);
  const stale = unmatched(headers['if-match'], `node ${id}`, nodeTag(cluster.registry.node(id)!));
  if (stale) throw new Refusal(stale);
  return id;
}

export function knownBalancer(cluster: Cluster, text: string): BalancerName {
  const name = parseBalancerName(text);
  const names = cluster.registry.balancers();
  if (name !== undefined && names.includes(name)) return name;
  throw unknown('balancer', text, names);
}

/** A refusal that suggests the nearest existing names. */
export function unknown(what: string, text: string, names: Iterable<string>): Refusal {
  const meant = nearest(text, names, MAX_SUGGESTIONS);
  const hint = meant.length === 0 ? '' : `; did you mean ${meant.join(', ')}?`;
  return new Refusal({ code: 'not-found', message: `there is no ${what} ${text.slice(0, 64)}${hint}` });
}

function* idsOf(cluster: Cluster): Iterable<string> {
  for (const { id } of cluster.registry.nodes()) yield id;
}
