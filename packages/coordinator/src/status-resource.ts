/** The cluster at a glance, made of what the registry, the workers and the store say. */
import type { StatusResource } from '@rollcall/protocol';
import type { Surroundings } from './admin/surroundings.ts';
import { stickySentence } from './events/sticky-sentence.ts';

/** Nodes named in one kind of advice. */
const MAX_NAMED = 3;

export function statusResource(around: Surroundings): StatusResource {
  const { cluster, config, feed, storeSync, epoch, startedAtUnixMs, controlUrl } = around;
  const { registry, clocks } = cluster;
  const { isSettled, learningMs } = registry.snapshot(clocks.nowMs());
  const totals = feed.workers.totals();
  const { kind, isReachable, sinceUnixMs, lastError } = storeSync.status;
  let sessions = 0;
  for (const node of cluster.resources()) if (node.liveness !== 'gone') sessions += node.sessions;
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
    store: { kind, isReachable, sinceUnixMs, ...(lastError !== undefined && { lastError }) },
    workers: feed.workers.resources(cluster.revision),
    nodes: registry.counts(),
    sessions,
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
    requestsPerSecond: Math.round(feed.workers.requestsPerSecond() * 10) / 10,
    advice: advice(around),
  };
}

/** Sentences an operator should read, the gravest first; empty when all is well. */
export function advice(around: Surroundings): string[] {
  const { cluster, feed, storeSync, history } = around;
  const sentences: string[] = [];
  if (cluster.registry.isPreserving)
    sentences.push(
      'Many nodes fell silent at once. The fault is probably between them and us, so nobody expires until they are heard again.',
    );
  if (feed.workers.connected === 0)
    sentences.push('No proxy worker is connected. Those that run serve what they last knew.');
  const store = storeSync.status;
  if (!store.isReachable) {
    const since = new Date(store.sinceUnixMs).toISOString();
    sentences.push(
      `The store (${store.kind}) is away since ${since}: ${store.lastError ?? 'no answer'}. The cluster goes on; ${store.waiting} records wait to be written.`,
    );
    if (store.isForgetful)
      sentences.push('Operators’ wishes from before the start are not in force, because the store could not be read.');
  }
  for (const finding of cluster.registry.stickyFindings()) sentences.push(stickySentence(finding));
  sentences.push(...nodeAdvice(around));
  if (cluster.registry.unreadableRecords > 0)
    sentences.push(`${cluster.registry.unreadableRecords} stored records could not be understood and were skipped.`);
  if (history.auditLost > 0) sentences.push(`${history.auditLost} lines of the audit could not be written.`);
  return sentences;
}

function nodeAdvice({ cluster }: Surroundings): string[] {
  const unreachable: string[] = [];
  const differing: string[] = [];
  for (const node of cluster.registry.nodes()) {
    if (node.liveness === 'gone') continue;
    if (node.livenessDetail !== undefined && node.liveness !== 'up')
      unreachable.push(`${node.id} (${node.livenessDetail})`);
    if (node.warnings.length > 0) differing.push(node.id);
  }
  const sentences: string[] = [];
  if (unreachable.length > 0)
    sentences.push(
      `Not reachable from here: ${named(unreachable)}. Does the program listen on another port, or on 127.0.0.1 only?`,
    );
  if (differing.length > 0)
    sentences.push(`Registered with sticky settings that differ from those in force: ${named(differing)}.`);
  return sentences;
}

function named(names: readonly string[]): string {
  const more = names.length - MAX_NAMED;
  return names.slice(0, MAX_NAMED).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
