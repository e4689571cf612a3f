/** The metrics with rows per node. */
import { isMissing, type NodeCounterSums, type NodeView } from '@rollcall/core';
import { EJECTION_CAUSES, type EjectionCause } from '@rollcall/feed';
import type { NodeResource } from '@rollcall/protocol';
import type { Cluster } from '../cluster.ts';
import { addClasses, addLatencySums } from './answer-rows.ts';
import { labelValue, SLICE, type SlicedMetric, slicedMetrics } from './sliced-metrics.ts';

/** Upper bound of nodes with labels of their own, in order of id. It bounds the cost of a scrape. */
export const MAX_LABELLED_NODES = 2_000;

interface NodeRow {
  readonly node: NodeResource;
  readonly counters: NodeCounterSums;
  readonly ejections: Readonly<Partial<Record<EjectionCause, number>>>;
  readonly nowUnixMs: number;
}

/** In the order of the output. */
export const NODE_METRICS: readonly SlicedMetric<NodeRow>[] = [
  {
    name: 'rollcall_node_info',
    help: 'Always 1; group and version as registered, empty without one',
    type: 'gauge',
    labels: ['group', 'version'],
    rows: ({ node: { group = '', version = '' } }, add) =>
      add(1, `,group="${labelValue(group)}",version="${labelValue(version)}"`),
  },
  {
    name: 'rollcall_node_up',
    help: '1 when the node is up; 0 otherwise, also for a missing node until an operator has acknowledged it',
    type: 'gauge',
    value: ({ node }) => Number(node.liveness === 'up'),
  },
  {
    name: 'rollcall_node_missing',
    help: '1 when the node is gone without leave, as after a crash',
    type: 'gauge',
    value: ({ node }) => Number(node.liveness === 'missing'),
  },
  {
    name: 'rollcall_node_status',
    help: 'Always 1; status in force and the status that an operator requests: enabled, draining or stopped',
    type: 'gauge',
    labels: ['status', 'requested'],
    rows: ({ node: { status, wanted } }, add) => add(1, `,status="${status}",requested="${wanted.status}"`),
  },
  {
    name: 'rollcall_node_weight',
    help: 'Weight in force',
    type: 'gauge',
    value: ({ node }) => node.weight,
  },
  {
    name: 'rollcall_node_standby',
    help: '1 when the node is a standby',
    type: 'gauge',
    value: ({ node }) => Number(node.isStandby),
  },
  {
    name: 'rollcall_node_load_factor',
    help: '0 to 100, higher is freer, 0 is standby; absent before the first report',
    type: 'gauge',
    value: ({ node }) => node.loadFactor,
  },
  {
    name: 'rollcall_node_heartbeat_age_seconds',
    help: 'Time since the last heartbeat; absent for members without an agent',
    type: 'gauge',
    value: ({ node: { silentMs } }) => (silentMs < 0 ? undefined : silentMs / 1_000),
  },
  {
    name: 'rollcall_node_sessions',
    help: 'Active sessions that were seen again, as reported by the node or else counted by the workers',
    type: 'gauge',
    value: ({ node }) => node.sessions,
  },
  {
    name: 'rollcall_node_sessions_seen_once',
    help: 'Active sessions that were opened by an answer and whose id no request has sent; drains do not wait for them',
    type: 'gauge',
    value: ({ node }) => node.sessionsSeenOnce,
  },
  {
    name: 'rollcall_node_drain_sessions',
    help: 'Sessions that the drain waits for; absent without a drain',
    type: 'gauge',
    value: ({ node }) => node.drain?.sessionsLeft,
  },
  {
    name: 'rollcall_node_drain_seconds_left',
    help: 'Time until the deadline of the drain, 0 afterwards; absent without a deadline',
    type: 'gauge',
    value: ({ node, nowUnixMs }) => {
      const endsAtUnixMs = node.wanted.deadlineAtUnixMs ?? node.reported.deadlineAtUnixMs;
      if (node.drain === undefined || endsAtUnixMs === undefined) return undefined;
      return Math.max(0, Math.round((endsAtUnixMs - nowUnixMs) / 1_000));
    },
  },
  {
    name: 'rollcall_node_in_flight_requests',
    help: 'Requests in flight',
    type: 'gauge',
    value: ({ node }) => node.inFlight,
  },
  {
    name: 'rollcall_node_ready',
    help: '0 when the node is not ready for new work, by its report or its ready path',
    type: 'gauge',
    value: ({ node }) => Number(node.isReady),
  },
  {
    name: 'rollcall_node_ejected',
    help: '1 when a worker has ejected the node',
    type: 'gauge',
    value: ({ node }) => Number(node.observed.isEjected),
  },
  {
    name: 'rollcall_node_ejections_total',
    help: 'Ejections by workers, by cause; absent without one',
    type: 'counter',
    labels: ['cause'],
    rows: ({ ejections }, add) => {
      for (const cause of EJECTION_CAUSES) {
        const count = ejections[cause];
        if (count !== undefined) add(count, `,cause="${cause}"`);
      }
    },
  },
  {
    name: 'rollcall_node_requests_total',
    help: 'Requests forwarded',
    type: 'counter',
    value: ({ counters }) => counters.requests,
  },
  {
    name: 'rollcall_node_responses_total',
    help: 'Responses of the node by status class',
    type: 'counter',
    labels: ['class'],
    rows: ({ counters: { answers } }, add) => addClasses(answers, add),
  },
  {
    name: 'rollcall_node_latency_seconds',
    help: 'Time from sending a request to the head of its response',
    type: 'summary',
    rows: ({ counters: { answers } }, add) => addLatencySums(answers, add),
  },
  {
    name: 'rollcall_node_failures_total',
    help: 'Failed attempts',
    type: 'counter',
    value: ({ counters }) => counters.failures,
  },
  {
    name: 'rollcall_node_new_sessions_total',
    help: 'New sessions placed on the node',
    type: 'counter',
    value: ({ counters }) => counters.newSessions,
  },
];

/** Text in the Prometheus format, in pieces. The event loop runs between two pieces. */
export function nodeMetrics(cluster: Cluster): AsyncGenerator<string> {
  // Names contain no character that the format escapes.
  return slicedMetrics(NODE_METRICS, slicesOf(cluster), ({ node }) => `node="${node.id}",balancer="${node.balancer}"`);
}

function* slicesOf(cluster: Cluster): Generator<readonly NodeRow[]> {
  const { registry, clocks } = cluster;
  const nowUnixMs = clocks.nowUnixMs();
  let [after, left]: [string | undefined, number] = [undefined, MAX_LABELLED_NODES];
  while (left > 0) {
    const { nodes, next } = cluster.page({ after, limit: Math.min(SLICE, left), isWanted: hasRows });
    yield nodes.map((node): NodeRow => {
      const { id } = node;
      return { node, counters: registry.traffic(id), ejections: registry.ejections(id), nowUnixMs };
    });
    if (next === undefined) return;
    after = next;
    left -= nodes.length;
  }
}

/** A missing node keeps its rows until an operator has acknowledged it. So an alert can be written, and ends. */
function hasRows(node: NodeView): boolean {
  return node.liveness !== 'gone' || (isMissing(node) && node.acknowledged === undefined);
}
