/** Which nodes a list of nodes contains, and which fields of them. */
import { effectiveStatus, isMissing, type NodeView } from '@rollcall/core';
import type { NodeResource } from '@rollcall/protocol';
import type { Cluster } from '../cluster.ts';
import { NodeSchema, type NodesQuery } from './schemas.ts';
import { searchOf, wordsOf } from './word-list.ts';

const STATUSES = ['enabled', 'draining', 'stopped'] as const;
const LIVENESSES = ['joining', 'up', 'suspect', 'down', 'missing', 'gone'] as const;
/** Names of the fields of a node. */
const FIELDS = Object.keys(
  (NodeSchema as unknown as { readonly properties: object }).properties,
) as (keyof NodeResource)[];

/** The filter of a query. Throws a Refusal that names the parameter. */
export function nodeFilter(cluster: Cluster, query: NodesQuery): (node: NodeView) => boolean {
  const { all, balancer, group, q } = query;
  const statuses = wordsOf('status', query.status, STATUSES);
  const livenesses = wordsOf('liveness', query.liveness, LIVENESSES);
  const isFound = searchOf(q);
  // A search for gone nodes by their liveness needs no `all` as well.
  const hasGone = all !== undefined || livenesses?.has('gone') === true;
  return (node) => {
    const liveness = isMissing(node) ? 'missing' : node.liveness;
    return (
      (hasGone || liveness !== 'gone') &&
      (balancer === undefined || node.registration.balancer === balancer) &&
      (group === undefined || node.registration.group === group) &&
      (statuses?.has(effectiveStatus(node)) ?? true) &&
      (livenesses?.has(liveness) ?? true) &&
      (isFound?.(textsOf(cluster, node)) ?? true)
    );
  };
}

/** The texts that a search reads. */
function textsOf(cluster: Cluster, node: NodeView): (string | undefined)[] {
  const resource = cluster.resource(node.id);
  const { balancer, url, route, group, version } = node.registration;
  return [
    ...[node.id, balancer, url, route, group, version],
    ...[resource?.status, resource?.liveness],
    resource?.isStandby ? 'standby' : undefined,
    resource?.isReady === false ? 'not ready' : undefined,
    resource?.observed.isEjected ? 'ejected' : undefined,
    resource?.flapping === undefined ? undefined : 'flapping',
  ];
}

/** Leaves only the fields of `fields`, and the id; all fields without it. Throws a Refusal that names an unknown one. */
export function fieldsFilter({ fields }: Pick<NodesQuery, 'fields'>): (node: NodeResource) => Partial<NodeResource> {
  const wanted = wordsOf('fields', fields, FIELDS);
  if (wanted === undefined) return (node) => node;
  return (node) =>
    Object.fromEntries(Object.entries(node).filter(([key]) => key === 'id' || wanted.has(key as keyof NodeResource)));
}
