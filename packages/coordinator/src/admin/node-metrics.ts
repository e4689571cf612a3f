/**
 * The part of `/metrics` that has a row per node. It is read and written in slices, and the event loop runs between two slices.
 * So heartbeats do not wait for a scrape of thousands of nodes.
 */
import type { NodeResource } from '@rollcall/protocol';
import type { Cluster } from '../cluster.ts';

/** Upper bound of nodes with labels of their own, in order of id. It bounds the cost of a scrape. */
export const MAX_LABELLED_NODES = 2_000;
/** Nodes read, and rows written, in one turn of the event loop. */
const SLICE = 250;

interface NodeMetric {
  readonly name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter';
  value(node: NodeResource): number;
}

const METRICS: readonly NodeMetric[] = [
  {
    name: 'rollcall_node_load_factor',
    help: '0 to 100, higher is freer, 0 is standby',
    type: 'gauge',
    value: (node) => node.loadFactor ?? Number.NaN,
  },
  {
    name: 'rollcall_node_sessions',
    help: 'Active sessions that were seen again, as reported by the node or else counted by the workers',
    type: 'gauge',
    value: (node) => node.sessions,
  },
  {
    name: 'rollcall_node_sessions_seen_once',
    help: 'Active sessions that were opened by an answer and whose id no request has sent; drains do not wait for them',
    type: 'gauge',
    value: (node) => node.sessionsSeenOnce,
  },
  {
    name: 'rollcall_node_in_flight_requests',
    help: 'Requests in flight',
    type: 'gauge',
    value: (node) => node.inFlight,
  },
  {
    name: 'rollcall_node_ready',
    help: '0 when the node is not ready for new work, by its report or its ready path',
    type: 'gauge',
    value: (node) => Number(node.isReady),
  },
  {
    name: 'rollcall_node_ejected',
    help: '1 when a worker has ejected the node',
    type: 'gauge',
    value: (node) => Number(node.observed.isEjected),
  },
  {
    name: 'rollcall_node_requests_total',
    help: 'Requests forwarded',
    type: 'counter',
    value: (node) => node.observed.requests,
  },
  {
    name: 'rollcall_node_failures_total',
    help: 'Failed attempts',
    type: 'counter',
    value: (node) => node.observed.failures,
  },
  {
    name: 'rollcall_node_new_sessions_total',
    help: 'New sessions placed on the node',
    type: 'counter',
    value: (node) => node.newSessions,
  },
];

/** Text in the Prometheus format, in pieces. The event loop runs between two pieces. */
export async function* nodeMetrics(cluster: Cluster): AsyncGenerator<string> {
  const labels: string[] = [];
  const values: number[][] = METRICS.map(() => []);
  for (let after: string | undefined; labels.length < MAX_LABELLED_NODES; ) {
    const limit = Math.min(SLICE, MAX_LABELLED_NODES - labels.length);
    const { nodes, next } = cluster.page({ after, limit, isWanted: ({ liveness }) => liveness !== 'gone' });
    for (const node of nodes) {
      // Names contain no character that the format escapes.
      labels.push(`{node="${node.id}",balancer="${node.balancer}"}`);
      for (const [i, metric] of METRICS.entries()) values[i]!.push(metric.value(node));
    }
    await turn();
    if (next === undefined) break;
    after = next;
  }
  for (const [i, { name, help, type }] of METRICS.entries()) {
    yield `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
    for (let start = 0; start < labels.length; start += SLICE) {
      let text = '';
      const end = Math.min(start + SLICE, labels.length);
      for (let row = start; row < end; row++) text += `${name}${labels[row]} ${values[i]![row]}\n`;
      yield text;
      await turn();
    }
    yield '\n';
  }
}

/** Resolves after the event loop has read what has arrived. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
