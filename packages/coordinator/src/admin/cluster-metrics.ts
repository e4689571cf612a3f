/** Table of the metrics that have no row per node. */
import { REFUSALS } from '@rollcall/feed';
import { RESTART_REASONS } from '@rollcall/protocol';
import { lookForProblems } from '../problems/problems.ts';
import type { Dependencies } from './dependencies.ts';

const LIVENESSES = ['up', 'suspect', 'joining', 'down', 'missing', 'gone'] as const;

export type MetricRow = readonly [labels: Readonly<Record<string, string>>, value: number];

/** One metric of the whole cluster or of the control process. */
export interface ClusterMetric {
  readonly name: string;
  readonly type: 'gauge' | 'counter';
  readonly help: string;
  readonly labels?: readonly string[];
  /** False: the metric is left out. Default: always present. Evaluated once, at the start. */
  readonly isThere?: (dependencies: Dependencies) => boolean;
  /** A number is the value of a metric without labels. */
  readonly value: (dependencies: Dependencies) => number | readonly MetricRow[];
}

/** In the order of the output. */
export const CLUSTER_METRICS: readonly ClusterMetric[] = [
  {
    name: 'rollcall_nodes',
    type: 'gauge',
    help: 'Nodes by liveness',
    labels: ['liveness'],
    value: ({ cluster }) => {
      const counts = cluster.registry.counts();
      return LIVENESSES.map((liveness) => [{ liveness }, counts[liveness]]);
    },
  },
  {
    name: 'rollcall_problems',
    type: 'gauge',
    help: 'Problems of rollcall status by kind, level and balancer; level planned: work of operators, no problem',
    labels: ['kind', 'level', 'balancer'],
    value: problemRows,
  },
  {
    name: 'rollcall_nodes_flapping',
    type: 'gauge',
    help: 'Nodes that returned three times within ten minutes',
    value: flappingNodes,
  },
  {
    name: 'rollcall_workers',
    type: 'gauge',
    help: 'Proxy workers that follow the feed',
    value: ({ feed }) => feed.workers.connected,
  },
  {
    name: 'rollcall_agent_connections',
    type: 'gauge',
    help: 'Open agent connections',
    value: ({ agents }) => agents.size,
  },
  {
    name: 'rollcall_agent_connections_waiting',
    type: 'gauge',
    help: 'Agents waiting for admission',
    value: ({ agents }) => agents.waiting,
  },
  {
    name: 'rollcall_revision',
    type: 'gauge',
    help: 'Changes of the registry since the start',
    value: ({ cluster }) => cluster.revision,
  },
  {
    name: 'rollcall_store_reachable',
    type: 'gauge',
    help: '1 when the store can be reached',
    value: ({ storeSync }) => Number(storeSync.status.isReachable),
  },
  {
    name: 'rollcall_store_waiting_records',
    type: 'gauge',
    help: 'Changed records not yet in the store',
    value: ({ storeSync }) => storeSync.status.waiting,
  },
  {
    name: 'rollcall_store_unreadable_records',
    type: 'gauge',
    help: 'Stored records that could not be read',
    value: ({ storeSync }) => storeSync.status.unreadable,
  },
  {
    name: 'rollcall_sharing_reachable',
    type: 'gauge',
    help: '1 when records are shared with the other coordinators; absent for the only one',
    value: ({ sharedSync }) => (sharedSync ? Number(sharedSync.isSharing) : []),
  },
  {
    name: 'rollcall_sharing_waiting_records',
    type: 'gauge',
    help: 'Changed records that the other coordinators cannot have yet; absent for the only one',
    value: ({ sharedSync }) => (sharedSync ? sharedSync.status.waiting : []),
  },
  {
    name: 'rollcall_coordinators_down',
    type: 'gauge',
    help: 'Coordinators of the cluster that are down; absent for the only one',
    value: ({ sharedSync }) =>
      sharedSync ? sharedSync.status.coordinators.filter(({ liveness }) => liveness === 'down').length : [],
  },
  {
    name: 'rollcall_control_certificate_expiry_seconds',
    type: 'gauge',
    help: 'Time until the certificate of the control port expires; negative afterwards',
    isThere: ({ config }) => config.tls !== undefined,
    value: ({ cluster, config }) => Math.round((config.tls!.endsAtUnixMs - cluster.clocks.nowUnixMs()) / 1_000),
  },
  {
    name: 'rollcall_audit_lost_total',
    type: 'counter',
    help: 'Audit entries that were lost',
    value: ({ history }) => history.audit.lost,
  },
  {
    name: 'rollcall_audit_waiting_entries',
    type: 'gauge',
    help: 'Audit entries kept in memory because the file cannot be written',
    value: ({ history }) => history.audit.trouble?.waiting ?? 0,
  },
  {
    name: 'rollcall_unread_answer_bytes',
    type: 'gauge',
    help: 'Bytes of admin API answers that clients have not read',
    value: ({ unread }) => unread.totalBytes,
  },
  {
    name: 'rollcall_unread_answers_closed_total',
    type: 'counter',
    help: 'Connections to the control port closed because an answer was not read',
    value: ({ unread }) => unread.ended,
  },
  {
    name: 'rollcall_control_idle_connections',
    type: 'gauge',
    help: 'Connections to the control port that carry no request and were not upgraded',
    value: ({ idle }) => idle.size,
  },
  {
    name: 'rollcall_control_idle_connections_closed_total',
    type: 'counter',
    help: 'Connections to the control port closed because too many, in total or from their address, carried no request',
    value: ({ idle }) => idle.closed,
  },
  {
    name: 'rollcall_refusals_total',
    type: 'counter',
    help: 'Refused messages and requests by code',
    labels: ['code'],
    value: ({ history }) => [...history.refusals].map(([code, count]) => [{ code }, count]),
  },
  {
    name: 'rollcall_process_restarts_total',
    type: 'counter',
    help: 'Restarts of processes of rollcall up, by reason',
    labels: ['process', 'reason'],
    value: ({ supervised }) =>
      supervised.resources.flatMap(({ name, restartReasons }) =>
        RESTART_REASONS.map((reason): MetricRow => [{ process: name, reason }, restartReasons[reason]]),
      ),
  },
  {
    name: 'rollcall_site_certificate_end_timestamp_seconds',
    type: 'gauge',
    help: 'Earliest end of the certificates of the TLS port that a worker uses, Unix time',
    labels: ['process'],
    value: ({ supervised }) =>
      supervised.resources.flatMap(({ name, certificates = [] }): MetricRow[] =>
        certificates.length === 0
          ? []
          : [[{ process: name }, Math.min(...certificates.map(({ endsAtUnixMs }) => endsAtUnixMs)) / 1_000]],
      ),
  },
  {
    name: 'rollcall_site_certificates_unusable',
    type: 'gauge',
    help: 'Certificates of the TLS port whose present files a worker cannot use; it uses those read before',
    labels: ['process'],
    value: ({ supervised }) =>
      supervised.resources.flatMap(({ name, certificates = [] }): MetricRow[] =>
        certificates.length === 0
          ? []
          : [[{ process: name }, certificates.filter(({ problem }) => problem !== undefined).length]],
      ),
  },
  {
    name: 'rollcall_log_lines_lost_total',
    type: 'counter',
    help: 'Log lines lost because they could not be written',
    labels: ['process'],
    value: ({ config, feed }) => [
      [{ process: 'control' }, config.lostLogLines()],
      [{ process: 'worker' }, feed.workers.totals().logLinesLost],
    ],
  },
  {
    name: 'rollcall_access_log_lines_lost_total',
    type: 'counter',
    help: 'Access log lines lost because they could not be written',
    value: ({ feed }) => feed.workers.totals().accessLogLinesLost,
  },
  {
    name: 'rollcall_failovers_total',
    type: 'counter',
    help: 'Sessions moved away from a node, by cause',
    labels: ['balancer', 'node', 'cause'],
    value: ({ cluster }) =>
      [...cluster.registry.failovers()].map(({ balancer, node, cause, count }) => [{ balancer, node, cause }, count]),
  },
  {
    name: 'rollcall_proxy_refusals_total',
    type: 'counter',
    help: 'Requests and connections refused by the proxy, by reason',
    labels: ['reason'],
    value: ({ feed }) => {
      const { refusals, proxyHeaderRefusals } = feed.workers.totals();
      return [
        ...refusals.map((count, i): [{ reason: string }, number] => [{ reason: REFUSALS[i] ?? 'other' }, count]),
        [{ reason: 'proxy-header' }, proxyHeaderRefusals],
      ];
    },
  },
  {
    name: 'rollcall_received_bytes_total',
    type: 'counter',
    help: 'Bytes received from clients',
    value: ({ feed }) => feed.workers.totals().bytesIn,
  },
  {
    name: 'rollcall_sent_bytes_total',
    type: 'counter',
    help: 'Bytes sent to clients',
    value: ({ feed }) => feed.workers.totals().bytesOut,
  },
  {
    name: 'rollcall_client_connections',
    type: 'gauge',
    help: 'Open client connections',
    value: ({ feed }) => feed.workers.totals().connections,
  },
  {
    name: 'rollcall_in_flight_requests',
    type: 'gauge',
    help: 'Requests in flight',
    value: ({ feed }) => feed.workers.totals().inFlight,
  },
  {
    name: 'rollcall_parked_requests',
    type: 'gauge',
    help: 'Requests parked until their node answers',
    value: ({ feed }) => feed.workers.totals().parked,
  },
];

function flappingNodes({ cluster }: Dependencies): number {
  let count = 0;
  for (const { liveness, returns } of cluster.registry.nodes()) if (liveness !== 'gone' && returns.flapping) count += 1;
  return count;
}

/** Most rows of problems: a cluster may have thousands of balancers. */
const MAX_PROBLEM_ROWS = 1_000;

function problemRows(dependencies: Dependencies): MetricRow[] {
  const rows = new Map<string, [labels: MetricRow[0], value: number]>();
  for (const { kind, level, balancer = '' } of lookForProblems(dependencies)) {
    const key = `${kind} ${level} ${balancer}`;
    const row = rows.get(key);
    if (row !== undefined) row[1] += 1;
    else if (rows.size < MAX_PROBLEM_ROWS) rows.set(key, [{ kind, level, balancer }, 1]);
  }
  return [...rows.values()];
}
