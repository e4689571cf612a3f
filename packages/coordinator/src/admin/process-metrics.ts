/** Metrics of the control process and of the workers, with the usual names where there are some. */
import type { ClusterMetric } from './cluster-metrics.ts';

/** In the order of the output. */
export const PROCESS_METRICS: readonly ClusterMetric[] = [
  {
    name: 'rollcall_build_info',
    type: 'gauge',
    help: 'Always 1; release of Rollcall and of Node.js',
    labels: ['version', 'node_version'],
    value: ({ config }) => [[{ version: config.version, node_version: process.version }, 1]],
  },
  {
    name: 'process_start_time_seconds',
    type: 'gauge',
    help: 'Start of the coordinator, Unix time',
    value: ({ startedAtUnixMs }) => startedAtUnixMs / 1_000,
  },
  {
    name: 'process_cpu_seconds_total',
    type: 'counter',
    help: 'CPU time of the control process',
    value: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
  },
  {
    name: 'process_resident_memory_bytes',
    type: 'gauge',
    help: 'Memory of the control process',
    value: () => process.memoryUsage.rss(),
  },
  {
    name: 'rollcall_worker_lag_revisions',
    type: 'gauge',
    help: 'Changes of the registry that a worker has not applied yet',
    labels: ['worker'],
    value: ({ cluster, feed }) =>
      feed.workers
        .resources(cluster.revision)
        .filter(({ refused }) => refused === undefined)
        .map(({ worker, revision }) => [{ worker }, Math.max(0, cluster.revision - revision)]),
  },
  {
    name: 'rollcall_worker_loop_delay_seconds',
    type: 'gauge',
    help: 'Mean delay of the event loop of a worker',
    labels: ['worker'],
    value: ({ cluster, feed }) =>
      feed.workers
        .resources(cluster.revision)
        .filter(({ refused }) => refused === undefined)
        .map(({ worker, loopDelayMs }) => [{ worker }, loopDelayMs / 1_000]),
  },
  {
    name: 'rollcall_store_lag_seconds',
    type: 'gauge',
    help: 'Time for which changed records have waited for an unreachable store; 0 when the store can be reached',
    value: ({ storeSync: { status }, cluster: { clocks } }) =>
      status.isReachable ? 0 : Math.max(0, (clocks.nowUnixMs() - status.sinceUnixMs) / 1_000),
  },
];
