/** Whole lists of the admin API, which answers them in pages. */
import type { BalancerResource, BalancersResource, NodeResource, NodesResource } from '@rollcall/protocol';
import type { AdminClient } from './admin-client.ts';

/** Which nodes. */
export interface NodesWanted {
  readonly balancer?: string;
  /** Gone nodes too. */
  readonly all?: boolean;
}

/** The nodes that are wanted, gone ones last, otherwise in order of balancer and id. */
export async function nodesOf(client: AdminClient, { balancer, all }: NodesWanted = {}): Promise<NodeResource[]> {
  const query = { ...(all ? { all: 'true' } : {}), ...(balancer === undefined ? {} : { balancer }) };
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
