/** The nodes of the table: searched, sorted and grouped. */

import type { NodeRow } from '@rollcall/protocol';
import { errorRatio } from './figures.ts';
import { busyPercent, type NodeState, nodeState, TONES } from './node-state.ts';
import { type Peers, peersByBalancer } from './peers.ts';
import type { Grouping, Place, Sort } from './place.ts';

export interface ListedNode {
  readonly type: 'node';
  readonly id: string;
  readonly node: NodeRow;
  readonly state: NodeState;
  readonly peers: Peers | undefined;
}

/** Heading of a group; `count` nodes follow. */
export interface ListedGroup {
  readonly type: 'group';
  readonly name: string;
  readonly count: number;
}

export type Listed = ListedNode | ListedGroup;

/** The rows in the order of display: each group heading, then its nodes. Nodes that are gone are listed only if the query has the word. */
export function nodeList(
  nodes: Readonly<Record<string, NodeRow>>,
  place: Pick<Place, 'query' | 'sort' | 'isDescending' | 'grouping' | 'balancer'>,
  nowMs: number,
): Listed[] {
  const peers = peersByBalancer(nodes);
  const words = place.query.toLowerCase().split(/\s+/).filter(Boolean);
  const found: ListedNode[] = [];
  for (const [id, node] of Object.entries(nodes)) {
    if (place.balancer !== undefined && node.balancer !== place.balancer) continue;
    const of = peers.get(node.balancer);
    const state = nodeState(node, of, nowMs);
    if (state.word === 'gone' && !words.includes('gone')) continue;
    if (matches(id, node, state, words)) found.push({ type: 'node', id, node, state, peers: of });
  }
  found.sort(orderOf(place));
  return grouped(found, place.grouping);
}

/** Every word must be part of the id, the address, the route, a name, the version or a word of the state. */
function matches(id: string, node: NodeRow, { word, detail }: NodeState, words: readonly string[]): boolean {
  if (words.length === 0) return true;
  const { balancer, url, route, group = '', version = '', host = '', status } = node;
  const text = `${id} ${balancer} ${url} ${route} ${group} v${version} ${host} ${status} ${word} ${detail}`;
  const searched = text.toLowerCase();
  return words.every((one) => searched.includes(one));
}

const VALUES: Readonly<Record<Exclude<Sort, 'name' | 'version'>, (row: ListedNode) => number>> = {
  state: ({ state }) => TONES.indexOf(state.tone),
  load: ({ node }) => busyPercent(node) ?? -1,
  sessions: ({ node }) => node.sessions,
  inFlight: ({ node }) => node.inFlight,
  requests: ({ node }) => node.rates.requestsPerSecond,
  errors: ({ node }) => errorRatio(node.rates) ?? -1,
  latency: ({ node }) => node.latencyMs ?? -1,
};

/** Equal rows are in order of their ids, so that no row changes its place without a reason. */
function orderOf({
  sort,
  isDescending,
}: Pick<Place, 'sort' | 'isDescending'>): (one: ListedNode, other: ListedNode) => number {
  const byName = (one: ListedNode, other: ListedNode): number => collator.compare(one.id, other.id);
  const sign = isDescending ? -1 : 1;
  if (sort === 'name') return (one, other) => sign * byName(one, other);
  if (sort === 'version')
    return (one, other) =>
      sign * collator.compare(one.node.version ?? '', other.node.version ?? '') || byName(one, other);
  const value = VALUES[sort];
  return (one, other) => sign * (value(one) - value(other)) || byName(one, other);
}

const collator = new Intl.Collator('en', { numeric: true });

function grouped(rows: readonly ListedNode[], grouping: Grouping): Listed[] {
  if (grouping === 'none') return [...rows];
  const groups = new Map<string, ListedNode[]>();
  for (const row of rows) {
    const name = row.node[grouping] ?? '';
    const group = groups.get(name);
    if (group) group.push(row);
    else groups.set(name, [row]);
  }
  if (groups.size <= 1 && grouping !== 'balancer') return [...rows];
  return [...groups]
    .sort(([one], [other]) => collator.compare(one, other))
    .flatMap(([name, members]): Listed[] => [{ type: 'group', name, count: members.length }, ...members]);
}
