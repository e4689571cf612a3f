/** A cluster for tests of the model. */
import { type NodeRow, parseBalancerName, parseNodeUrl, parseRoute, type WatchSnapshot } from '@rollcall/protocol';

export const NO_RATES = { requestsPerSecond: 0, errorsPerSecond: 0, failuresPerSecond: 0 } as const;

export function aNode(about: Partial<NodeRow> = {}): NodeRow {
  return {
    balancer: parseBalancerName('shop')!,
    url: parseNodeUrl('http://127.0.0.1:1')!,
    route: parseRoute('a')!,
    host: 'here',
    kind: 'agent',
    liveness: 'up',
    sinceUnixMs: 0,
    status: 'enabled',
    nodeStatus: 'enabled',
    loadFactor: 75,
    weight: 1,
    isStandby: false,
    sessions: 0,
    sessionsSeenOnce: 0,
    inFlight: 0,
    rates: NO_RATES,
    ...about,
  };
}

export function aSnapshot(nodes: Readonly<Record<string, NodeRow>>): WatchSnapshot {
  return {
    atUnixMs: 1_000_000,
    coordinator: { name: 'c', version: '1', epoch: 'e', startedAtUnixMs: 0, role: 'operator' },
    verdict: { line: 'All well', problems: [] },
    totals: NO_RATES,
    balancers: { shop: { eligible: 1, up: 1, missing: 0, sessions: 0, inFlight: 0, rates: NO_RATES } },
    nodes,
  };
}
