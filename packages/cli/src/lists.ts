/** Complete lists of the admin API, which is paged. */
import type { BalancerResource, BalancersResource, NodeResource, NodesResource } from '@rollcall/protocol';
import type { AdminClient } from './admin-client.ts';

/** Filter of the node list. */
export interface NodeFilter {
  readonly balancer?: string;
  readonly group?: string;
  /** Include gone nodes. */
  readonly all?: boolean;
}

/** The nodes that match, by balancer and id, gone nodes last. */
export async function nodesOf(client: AdminClient, { balancer, group, all }: NodeFilter = {}): Promise<NodeResource[]> {
  const query = {
    ...(all ? { all: 'true' } : {}),
    ...(balancer === undefined ? {} : { balancer }),
    ...(group === undefined ? {} : { group }),
  };
  const nodes = await follow<NodeResource>('/v1/nodes', query, async (path) => {
    const page = await client.get<NodesResource>(path);
    return { entries: page.nodes, next: page.next };
  });
  return nodes.sort(
    (one, other) =>
      Number(one.liveness === 'gone') - Number(other.liveness === 'gone') ||
      compare(one.balancer, other.balancer) ||
      compare(one.id, other.id),
  );
}

/** All balancers in order of their names. */
export function balancersOf(client: AdminClient): Promise<BalancerResource[]> {
  return follow<BalancerResource>('/v1/balancers', {}, async (path) => {
    const page = await client.get<BalancersResource>(path);
    return { entries: page.balancers, next: page.next };
  });
}

interface Page<Entry> {
  readonly entries: readonly Entry[];
  readonly next: string | undefined;
}

async function follow<Entry>(
  path: string,
  query: Readonly<Record<string, string>>,
  get: (path: string) => Promise<Page<Entry>>,
): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (let after: string | undefined; ; ) {
    const words = new URLSearchParams({ ...query, ...(after === undefined ? {} : { after }) });
    const page = await get(words.size > 0 ? `${path}?${words}` : path);
    for (const entry of page.entries) entries.push(entry);
    if (page.next === undefined) return entries;
    after = page.next;
  }
}

function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}
