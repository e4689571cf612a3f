/** The metrics with rows per balancer. Rows with an empty balancer are of requests for which no context matches. */
import type { BalancerCounts } from '@rollcall/core';
import { RETRY_REASONS, STICKY_RESULTS } from '@rollcall/feed';
import { type BalancerTotals, noBalancerTotals } from '../feed/balancer-totals.ts';
import { addClasses, addLatencyBuckets } from './answer-rows.ts';
import type { Dependencies } from './dependencies.ts';
import { SLICE, type SlicedMetric, slicedMetrics } from './sliced-metrics.ts';

/** Upper bound of balancers with labels of their own, the oldest first. It bounds the cost of a scrape. */
export const MAX_LABELLED_BALANCERS = 500;

interface BalancerRow {
  readonly name: string;
  readonly totals: BalancerTotals;
  /** Absent for requests without a balancer. */
  readonly nodes?: BalancerCounts & { readonly wanted?: number };
}

const NO_NODES: BalancerCounts = { present: 0, up: 0, eligible: 0, missing: 0 };

/** In the order of the output. */
export const BALANCER_METRICS: readonly SlicedMetric<BalancerRow>[] = [
  {
    name: 'rollcall_balancer_nodes',
    help: 'Nodes that are not gone',
    type: 'gauge',
    value: ({ nodes }) => nodes?.present,
  },
  {
    name: 'rollcall_balancer_up_nodes',
    help: 'Nodes that are up',
    type: 'gauge',
    value: ({ nodes }) => nodes?.up,
  },
  {
    name: 'rollcall_balancer_eligible_nodes',
    help: 'Nodes that may take new sessions: up, enabled and answering',
    type: 'gauge',
    value: ({ nodes }) => nodes?.eligible,
  },
  {
    name: 'rollcall_balancer_missing_nodes',
    help: 'Nodes that are gone without leave and that no operator has acknowledged',
    type: 'gauge',
    value: ({ nodes }) => nodes?.missing,
  },
  {
    name: 'rollcall_balancer_wanted_nodes',
    help: 'Nodes that the balancer has when every copy of its wrappers is up; absent without a wrapper that keeps copies',
    type: 'gauge',
    value: ({ nodes }) => nodes?.wanted,
  },
  {
    name: 'rollcall_requests_total',
    help: 'Requests received by the proxy; an empty balancer: no context matches',
    type: 'counter',
    value: ({ totals }) => totals.requests,
  },
  {
    name: 'rollcall_responses_total',
    help: 'Responses to clients by status class, also those of the proxy itself; an empty balancer: no context matches',
    type: 'counter',
    labels: ['class'],
    rows: ({ totals }, add) => addClasses(totals.answers, add),
  },
  {
    name: 'rollcall_unavailable_total',
    help: 'Requests for which no node was eligible',
    type: 'counter',
    value: ({ totals }) => totals.unavailable,
  },
  {
    name: 'rollcall_upstream_latency_seconds',
    help: 'Time from sending a request to a node to the head of its response',
    type: 'histogram',
    rows: ({ nodes, totals }, add) => {
      if (nodes !== undefined) addLatencyBuckets(totals.answers, add);
    },
  },
  {
    name: 'rollcall_upstream_failures_total',
    help: 'Attempts that failed because of a node',
    type: 'counter',
    value: ({ nodes, totals }) => nodes && totals.failures,
  },
  {
    name: 'rollcall_upstream_sent_bytes_total',
    help: 'Bytes sent to nodes',
    type: 'counter',
    value: ({ nodes, totals }) => nodes && totals.bytesToNode,
  },
  {
    name: 'rollcall_upstream_received_bytes_total',
    help: 'Bytes received from nodes',
    type: 'counter',
    value: ({ nodes, totals }) => nodes && totals.bytesFromNode,
  },
  {
    name: 'rollcall_retries_total',
    help: 'Retried attempts by the failure of the attempt before',
    type: 'counter',
    labels: ['reason'],
    rows: ({ nodes, totals }, add) => {
      if (nodes !== undefined)
        for (const [i, reason] of RETRY_REASONS.entries()) add(totals.retries[i]!, `,reason="${reason}"`);
    },
  },
  {
    name: 'rollcall_sticky_results_total',
    help: 'Requests that a node has answered, by how the node was found: new session, none, sticky, moved',
    type: 'counter',
    labels: ['result'],
    rows: ({ nodes, totals }, add) => {
      if (nodes !== undefined)
        for (const [i, result] of STICKY_RESULTS.entries()) add(totals.stickyResults[i]!, `,result="${result}"`);
    },
  },
  {
    name: 'rollcall_moved_sessions_total',
    help: 'Movable sessions moved away from an overloaded node',
    type: 'counter',
    value: ({ nodes, totals }) => nodes && totals.moved,
  },
];

/** Text in the Prometheus format, in pieces. The event loop runs between two pieces. */
export function balancerMetrics(dependencies: Dependencies): AsyncGenerator<string> {
  // Names contain no character that the format escapes.
  return slicedMetrics(BALANCER_METRICS, slicesOf(dependencies), ({ name }) => `balancer="${name}"`);
}

function* slicesOf({ cluster: { registry }, feed: { workers } }: Dependencies): Generator<readonly BalancerRow[]> {
  yield [{ name: '', totals: { ...noBalancerTotals(), ...workers.withoutBalancer() } }];
  const counts = registry.balancerCounts();
  const names = registry.balancers().slice(0, MAX_LABELLED_BALANCERS);
  for (let start = 0; start < names.length; start += SLICE)
    yield names.slice(start, start + SLICE).map((name): BalancerRow => {
      const wanted = registry.copies(name)?.wanted;
      const nodes = { ...(counts.get(name) ?? NO_NODES), ...(wanted !== undefined && { wanted }) };
      return { name, totals: workers.balancer(name), nodes };
    });
}
