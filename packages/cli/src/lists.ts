/** Complete lists of the admin API, which is paged. */
import type { BalancerResource, DrainResource, NodeResource, TokenResource } from '@rollcall/protocol';
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
  const query = { all: all ? true : undefined, balancer, group };
  const nodes = await follow(async (after): Promise<Page<NodeResource>> => {
    const page = await client.call('listNodes', { query: { ...query, after } });
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
  return follow(async (after): Promise<Page<BalancerResource>> => {
    const page = await client.call('listBalancers', { query: { after } });
    return { entries: page.balancers, next: page.next };
  });
}

/** All tokens in order of their names. */
export function tokensOf(client: AdminClient): Promise<TokenResource[]> {
  return follow(async (after): Promise<Page<TokenResource>> => {
    const page = await client.call('listTokens', { query: { after } });
    return { entries: page.tokens, next: page.next };
  });
}

/** All drains in order of their nodes. */
export function drainsOf(client: AdminClient): Promise<DrainResource[]> {
  return follow(async (after): Promise<Page<DrainResource>> => {
    const page = await client.call('listDrains', { query: { after } });
    return { entries: page.drains, next: page.next };
  });
}

interface Page<Entry> {
  readonly entries: readonly Entry[];
  readonly next: string | undefined;
}

async function follow<Entry>(get: (after: string | undefined) => Promise<Page<Entry>>): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (let after: string | undefined; ; ) {
    const page = await get(after);
    for (const entry of page.entries) entries.push(entry);
    if (page.next === undefined) return entries;
    after = page.next;
  }
}

function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}
