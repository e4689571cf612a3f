/** The status resource, from the registry, the workers and the store. */
import type { QuotaResource, StatusResource } from '@rollcall/protocol';
import { rememberedContexts } from './admin/contexts.ts';
import type { Dependencies } from './admin/dependencies.ts';
import { notices } from './problems/notices.ts';
import { clusterVerdict } from './problems/problems.ts';

export function statusResource(dependencies: Dependencies): StatusResource {
  const { cluster, config, feed, state, storeSync, sharedSync, supervised, epoch, startedAtUnixMs, controlUrl } =
    dependencies;
  const { registry, clocks } = cluster;
  const { isSettled, learningMs } = registry.settling(clocks.nowMs());
  const totals = feed.workers.totals();
  const { kind, isReachable, sinceUnixMs, lastError, waiting } = storeSync.status;
  const unserved = registry.unserved();
  const found = notices(dependencies, unserved);
  const nodes = registry.counts();
  const requestsPerSecond = Math.round(feed.workers.requestsPerSecond() * 10) / 10;
  return {
    name: config.name,
    version: config.version,
    node: process.version,
    epoch,
    revision: cluster.revision,
    isSettled,
    startedAtUnixMs,
    nowUnixMs: Math.floor(clocks.nowUnixMs()),
    learningMs,
    proxy: config.proxyUrl,
    control: controlUrl(),
    ...(config.tls && {
      controlCertificate: {
        path: config.tls.path,
        endsAtUnixMs: config.tls.endsAtUnixMs,
        ...(config.tls.problem !== undefined && { problem: config.tls.problem }),
      },
    }),
    store: { kind, isReachable, sinceUnixMs, waiting, ...(lastError !== undefined && { lastError }) },
    ...(sharedSync && { sharing: sharedSync.status }),
    state: {
      directory: state.path,
      isWritable: state.problem === undefined,
      ...(state.problem && { sinceUnixMs: state.problem.sinceUnixMs, lastError: state.problem.message }),
    },
    workers: feed.workers.resources(cluster.revision),
    processes: supervised.resources,
    nodes,
    quotas: quotas(dependencies),
    parked: { requests: totals.parked, oldestMs: totals.oldestParkedMs },
    unserved,
    remembered: rememberedContexts(dependencies),
    ...registry.sessions(),
    totals: {
      requests: totals.requests,
      failed: totals.statusClasses[4],
      retries: totals.retries,
      failovers: totals.failovers,
      moved: totals.moved,
      unavailable: totals.unavailable,
      bytesIn: totals.bytesIn,
      bytesOut: totals.bytesOut,
    },
    requestsPerSecond,
    verdict: clusterVerdict(dependencies, unserved, found),
    advice: found.map(({ sentence }) => sentence),
  };
}

/** All quotas in the order of their table, with the largest use of each. */
function quotas({ cluster, config, agents, registrations }: Dependencies): QuotaResource[] {
  const [address, connections] = agents.mostTokenless();
  const [node, registered] = registrations.busiest();
  const { quotas } = config;
  return [
    ...cluster.registry.quotas(),
    { name: 'registrations', limit: quotas.registrations, used: registered, ...(node && { by: node }) },
    {
      name: 'tokenless-connections',
      limit: quotas['tokenless-connections'],
      used: connections,
      ...(address && { by: address }),
    },
  ];
}
