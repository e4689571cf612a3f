/** The view of `rollcall top`, read once a second. */
import type { BalancerResource, NodeResource, StatusResource } from '@rollcall/protocol';
import { isPresent } from '@rollcall/protocol';
import type { AdminClient } from '../admin-client.ts';
import { balancersOf, nodesOf } from '../lists.ts';
import { noteOf } from '../nodes/node-notes.ts';
import type { BalancerRow, NodeRow, Rates, View } from './view.ts';

/** Cumulative counters of a node at one instant. */
export interface Counted {
  readonly atUnixMs: number;
  readonly nodes: ReadonlyMap<string, { readonly requests: number; readonly errors: number }>;
}

export async function readView(client: AdminClient, before: Counted | undefined): Promise<readonly [View, Counted]> {
  const [status, balancers, nodes] = await Promise.all([
    client.call('getStatus'),
    balancersOf(client),
    nodesOf(client),
  ]);
  return viewOf(status, balancers, nodes, before);
}

/** Rates are the differences to `before`. Without it, and for a counter that has fallen, they are 0. */
export function viewOf(
  status: StatusResource,
  balancers: readonly BalancerResource[],
  nodes: readonly NodeResource[],
  before: Counted | undefined,
): readonly [View, Counted] {
  const { nowUnixMs, verdict } = status;
  const counted: Counted = {
    atUnixMs: nowUnixMs,
    nodes: new Map(
      nodes.map(({ id, observed: { requests, failures, serverErrors } }) => [
        id as string,
        { requests, errors: failures + serverErrors },
      ]),
    ),
  };
  const rows = new Map(
    nodes.map((node) => [node.id as string, nodeRow(node, ratesOf(node.id, counted, before), nowUnixMs)]),
  );
  const byBalancer = groupsOf([...rows.values()]);
  const view: View = {
    atUnixMs: nowUnixMs,
    verdict,
    totals: sumOf([...rows.values()]),
    balancers: Object.fromEntries(
      balancers.map((balancer) => [balancer.name, balancerRow(balancer, byBalancer.get(balancer.name) ?? [])]),
    ),
    nodes: Object.fromEntries(rows),
  };
  return [view, counted];
}

function groupsOf(rows: readonly NodeRow[]): Map<string, NodeRow[]> {
  const groups = new Map<string, NodeRow[]>();
  for (const row of rows) groups.set(row.balancer, [...(groups.get(row.balancer) ?? []), row]);
  return groups;
}

function ratesOf(id: string, now: Counted, before: Counted | undefined): Rates {
  const [last, first] = [now.nodes.get(id), before?.nodes.get(id)];
  const seconds = before === undefined ? 0 : (now.atUnixMs - before.atUnixMs) / 1_000;
  if (last === undefined || first === undefined || seconds <= 0) return { requestsPerSecond: 0, errorsPerSecond: 0 };
  return {
    requestsPerSecond: Math.max(0, last.requests - first.requests) / seconds,
    errorsPerSecond: Math.max(0, last.errors - first.errors) / seconds,
  };
}

function sumOf(rows: readonly NodeRow[]): Rates {
  return {
    requestsPerSecond: rows.reduce((sum, { rates }) => sum + rates.requestsPerSecond, 0),
    errorsPerSecond: rows.reduce((sum, { rates }) => sum + rates.errorsPerSecond, 0),
  };
}

function balancerRow({ nodesUp, sessions, inFlight, copies }: BalancerResource, rows: readonly NodeRow[]): BalancerRow {
  return {
    eligible: rows.filter((row) => row.liveness === 'up' && row.status === 'enabled' && !row.isEjected).length,
    up: nodesUp,
    missing: rows.filter(({ liveness }) => liveness === 'missing').length,
    ...(copies === undefined ? {} : { wanted: copies.wanted }),
    sessions,
    inFlight,
    rates: sumOf(rows),
  };
}

function nodeRow(node: NodeResource, rates: Rates, nowUnixMs: number): NodeRow {
  const { balancer, group, version, liveness, status, load, sessions, sessionsSeenOnce, inFlight, observed } = node;
  return {
    balancer,
    ...(group === undefined ? {} : { group }),
    ...(version === undefined ? {} : { version }),
    liveness,
    status,
    ...(load === undefined ? {} : { load }),
    sessions,
    sessionsSeenOnce,
    inFlight,
    rates,
    isEjected: isPresent(node) && observed.isEjected,
    note: noteOf(node, nowUnixMs),
  };
}
