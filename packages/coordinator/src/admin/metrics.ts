/**
 * `/metrics` in Prometheus' text format. Everything is read from where it is kept at the moment of the scrape, so no
 * number is kept twice and a node that is gone takes its labels along.
 */
import { Readable } from 'node:stream';
import { Counter, Gauge, type Metric, Registry } from '@platformatic/prom-client';
import { LATENCY_BUCKETS_MS, REFUSALS, RESTART_REASONS, type WorkerCounters } from '@rollcall/protocol';
import type { AdminApp } from './admin-app.ts';
import { nodeMetrics } from './node-metrics.ts';
import type { Surroundings } from './surroundings.ts';

const LIVENESSES = ['up', 'suspect', 'joining', 'down', 'gone'] as const;

type Row = readonly [labels: Readonly<Record<string, string>>, value: number];

export function addMetrics(app: AdminApp, around: Surroundings): void {
  const metrics = metricsOf(around);
  app.get('/metrics', { config: { role: 'viewer' }, schema: { hide: true } }, async (_, reply) =>
    reply.type(metrics.contentType).send(Readable.from(pieces(around, metrics))),
  );
}

async function* pieces({ cluster }: Surroundings, metrics: Registry): AsyncGenerator<string> {
  yield await metrics.metrics();
  yield '\n';
  yield* nodeMetrics(cluster);
}

function flappingNodes({ cluster }: Surroundings): number {
  let count = 0;
  for (const { liveness, returns } of cluster.registry.nodes()) if (liveness !== 'gone' && returns.flapping) count += 1;
  return count;
}

function metricsOf(around: Surroundings): Registry {
  const { cluster, config, feed, agents, history, storeSync, supervised, unread, idle } = around;
  const registry = new Registry();
  const gauge = (name: string, help: string, labelNames: readonly string[], rows: () => Iterable<Row>): void => {
    new Gauge({
      name,
      help,
      labelNames: [...labelNames],
      registers: [registry],
      collect() {
        this.reset();
        for (const [labels, value] of rows()) this.set({ ...labels }, value);
      },
    });
  };
  const counter = (name: string, help: string, labelNames: readonly string[], rows: () => Iterable<Row>): void => {
    new Counter({
      name,
      help,
      labelNames: [...labelNames],
      registers: [registry],
      collect() {
        this.reset();
        for (const [labels, value] of rows()) this.inc({ ...labels }, value);
      },
    });
  };
  const total = (value: () => number) => (): Row[] => [[{}, value()]];

  gauge('rollcall_nodes', 'Nodes by liveness', ['liveness'], () => {
    const counts = cluster.registry.counts();
    return LIVENESSES.map((liveness) => [{ liveness }, counts[liveness]]);
  });
  gauge(
    'rollcall_nodes_flapping',
    'Nodes that returned three times within ten minutes',
    [],
    total(() => flappingNodes(around)),
  );
  gauge(
    'rollcall_workers',
    'Proxy workers that follow the feed',
    [],
    total(() => feed.workers.connected),
  );
  gauge(
    'rollcall_agent_connections',
    'Open agent connections',
    [],
    total(() => agents.size),
  );
  gauge(
    'rollcall_agent_connections_waiting',
    'Agents that wait to be admitted, at the rate that the event loop bears',
    [],
    total(() => agents.waiting),
  );
  gauge(
    'rollcall_revision',
    'Changes of the registry since the start',
    [],
    total(() => cluster.revision),
  );
  gauge(
    'rollcall_store_reachable',
    '1 when the store can be reached',
    [],
    total(() => Number(storeSync.status.isReachable)),
  );
  gauge(
    'rollcall_store_waiting_records',
    'Records the store has yet to learn of',
    [],
    total(() => storeSync.status.waiting),
  );
  gauge(
    'rollcall_store_unreadable_records',
    'Records in the store that could not be read',
    [],
    total(() => storeSync.status.unreadable),
  );
  const { tls } = config;
  if (tls)
    gauge(
      'rollcall_control_certificate_expiry_seconds',
      'Time until the certificate of the control port expires; negative afterwards',
      [],
      total(() => Math.round((tls.endsAtUnixMs - cluster.clocks.nowUnixMs()) / 1_000)),
    );
  counter(
    'rollcall_audit_lost_total',
    'Entries of the audit that were lost',
    [],
    total(() => history.audit.lost),
  );
  gauge(
    'rollcall_audit_waiting_entries',
    'Entries of the audit that cannot be written now and are kept',
    [],
    total(() => history.audit.trouble?.waiting ?? 0),
  );
  gauge(
    'rollcall_unread_answer_bytes',
    'Bytes of answers of the admin API that wait to be read',
    [],
    total(() => unread.totalBytes),
  );
  counter(
    'rollcall_unread_answers_closed_total',
    'Connections of the control port that were closed because an answer was not read',
    [],
    total(() => unread.ended),
  );
  gauge(
    'rollcall_control_idle_connections',
    'Connections to the control port that carry no request and were not upgraded',
    [],
    total(() => idle.size),
  );
  counter(
    'rollcall_control_idle_connections_closed_total',
    'Connections to the control port that were closed because too many of their address, or of all, carried no request',
    [],
    total(() => idle.closed),
  );
  counter('rollcall_refusals_total', 'Refused messages and requests by code', ['code'], () =>
    [...history.refusals].map(([code, count]): Row => [{ code }, count]),
  );

  counter(
    'rollcall_process_restarts_total',
    'Processes of rollcall up that were started again, by reason',
    ['process', 'reason'],
    () =>
      supervised.resources.flatMap(({ name, restartReasons }) =>
        RESTART_REASONS.map((reason): Row => [{ process: name, reason }, restartReasons[reason]]),
      ),
  );

  const workerTotals = () => feed.workers.totals();
  counter('rollcall_log_lines_lost_total', 'Log lines that could not be written', ['process'], () => [
    [{ process: 'control' }, config.lostLogLines()],
    [{ process: 'worker' }, workerTotals().logLinesLost],
  ]);
  counter(
    'rollcall_access_log_lines_lost_total',
    'Lines of the access log that could not be written',
    [],
    total(() => workerTotals().accessLogLinesLost),
  );
  counter(
    'rollcall_requests_total',
    'Requests the proxy answered or tried to',
    [],
    total(() => workerTotals().requests),
  );
  counter('rollcall_responses_total', 'Answers by class of status', ['class'], () =>
    workerTotals().statusClasses.map((count, i): Row => [{ class: `${i + 1}xx` }, count]),
  );
  counter(
    'rollcall_retries_total',
    'Further attempts after a failed one',
    [],
    total(() => workerTotals().retries),
  );
  counter(
    'rollcall_moved_sessions_total',
    'Movable sessions that have left a hot node',
    [],
    total(() => workerTotals().moved),
  );
  counter('rollcall_failovers_total', 'Sessions moved away from a node, by cause', ['balancer', 'node', 'cause'], () =>
    [...cluster.registry.failovers()].map(
      ({ balancer, node, cause, count }): Row => [{ balancer, node, cause }, count],
    ),
  );
  counter(
    'rollcall_unavailable_total',
    'Requests that found nobody eligible',
    [],
    total(() => workerTotals().unavailable),
  );
  counter('rollcall_proxy_refusals_total', 'Clients that the proxy turned away, by reason', ['reason'], () =>
    workerTotals().refusals.map((count, i): Row => [{ reason: REFUSALS[i] ?? 'other' }, count]),
  );
  counter(
    'rollcall_received_bytes_total',
    'Bytes from clients',
    [],
    total(() => workerTotals().bytesIn),
  );
  counter(
    'rollcall_sent_bytes_total',
    'Bytes to clients',
    [],
    total(() => workerTotals().bytesOut),
  );
  gauge(
    'rollcall_client_connections',
    'Open connections of clients',
    [],
    total(() => workerTotals().connections),
  );
  gauge(
    'rollcall_in_flight_requests',
    'Requests being forwarded now',
    [],
    total(() => workerTotals().inFlight),
  );
  gauge(
    'rollcall_parked_requests',
    'Requests that wait unsent for their node to answer',
    [],
    total(() => workerTotals().parked),
  );
  registry.registerMetric(latencyHistogram(workerTotals));
  return registry;
}

/** Latencies as the workers have counted them: the registry asks for its values, and nothing is observed here. */
function latencyHistogram(totals: () => WorkerCounters): Metric {
  const name = 'rollcall_upstream_latency_seconds';
  const help = 'From sending a request to a node to the head of its answer';
  const get = (): object => {
    const { latencyBuckets, latencySumMs } = totals();
    let count = 0;
    const buckets = [...LATENCY_BUCKETS_MS, Number.POSITIVE_INFINITY].map((ms, i) => {
      count += latencyBuckets[i] ?? 0;
      return { metricName: `${name}_bucket`, labels: { le: Number.isFinite(ms) ? ms / 1_000 : '+Inf' }, value: count };
    });
    const sum = { metricName: `${name}_sum`, labels: {}, value: latencySumMs / 1_000 };
    return {
      name,
      help,
      type: 'histogram',
      values: [...buckets, sum, { ...sum, metricName: `${name}_count`, value: count }],
    };
  };
  return { name, get } as unknown as Metric;
}
