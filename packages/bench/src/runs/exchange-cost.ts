/** Cost of replacing the routing table in a worker, in isolation. */
import { ALGORITHMS, buildContextTable, type ContextTable, type MemberNode, newLiveNumbers } from '@rollcall/core';
import {
  type NodeId,
  parseBalancerName,
  parseContextPath,
  parseHostPattern,
  parseNodeId,
  parseRoute,
} from '@rollcall/protocol';
import { type Spread, spreadOf } from '../numbers/spread.ts';

/** Time for which requests wait, over all measured exchanges, milliseconds. */
export interface ExchangeCost {
  readonly nodes: number;
  /** One node changes its weight. */
  readonly changed: Spread;
  /** One node joins: the algorithms for requests and for sessions are updated as well. */
  readonly joined: Spread;
}

const EXCHANGES = 200;
/** Exchanges before the measurement, because code that is not compiled yet is slower. */
const WARM_UP = 200;

type Table = ContextTable<MemberNode, null>;

/** Measures exchanges with `count` nodes of one balancer. Takes less than a second. */
export function measureExchanges(count: number): ExchangeCost {
  const nodes = new Map<NodeId, MemberNode>();
  for (let i = 0; i < count; i++) put(nodes, i, 1);
  const reported = [ALGORITHMS.adaptive, ALGORITHMS.session].map((make) => make({ rng: () => 0.5 }));
  let table: Table | undefined;
  const exchange = (changed: NodeId): void => {
    table = buildContextTable<MemberNode, null>(nodes.values(), {
      previous: table,
      changed: new Set([changed]),
      attach: () => null,
      nowMs: 0,
    });
  };
  const join = (id: NodeId): void => {
    exchange(id);
    for (const algorithm of reported) algorithm.onMembership?.([...nodes.values()]);
  };
  const times = (run: (i: number) => void): Spread => {
    const elapsed: number[] = [];
    for (let i = 0; i < WARM_UP + EXCHANGES; i++) {
      const sinceMs = performance.now();
      run(i);
      if (i >= WARM_UP) elapsed.push(performance.now() - sinceMs);
    }
    return spreadOf(elapsed)!;
  };
  return {
    nodes: count,
    changed: times((i) => exchange(put(nodes, i % count, 2 + i))),
    // The one that has come is another one each time.
    joined: times((i) => {
      nodes.delete(nodeId(count - 1 + i));
      join(put(nodes, count + i, 1));
    }),
  };
}

function nodeId(number: number): NodeId {
  return parseNodeId(`n${number + 1}`)!;
}

function put(nodes: Map<NodeId, MemberNode>, number: number, weight: number): NodeId {
  const id = nodeId(number);
  nodes.set(id, {
    id,
    weight,
    cores: 1,
    upAtMs: Number.NEGATIVE_INFINITY,
    live: newLiveNumbers(),
    tier: 'ready',
    verdict: 'forward',
    balancer: parseBalancerName('site')!,
    route: parseRoute(id)!,
    group: undefined,
    hosts: [parseHostPattern('*')!],
    contexts: [{ path: parseContextPath('/')!, status: 'enabled' }],
  });
  return id;
}
