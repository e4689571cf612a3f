/** The status resource, from the registry, the workers and the store. */
import {
  ageText,
  copiesText,
  type NodeUrl,
  type QuotaResource,
  type StatusResource,
  type UnservedContext,
} from '@rollcall/protocol';
import { rememberedContexts } from './admin/contexts.ts';
import type { Dependencies } from './admin/dependencies.ts';
import { listeningQuestion } from './agents/listening-question.ts';
import { stickySentence } from './events/sticky-sentence.ts';
import { CONTROL_CERTIFICATE, endAdvice, problemAdvice } from './network/certificate-advice.ts';
import { clearTextAdvice } from './network/clear-text.ts';
import { portAdvice, unservedAdvice } from './port-advice.ts';
import { noWorkerAdvice, restartAdvice, siteCertificateAdvice } from './process-advice.ts';
import { sharingAdvice } from './sync/sharing-advice.ts';

/** A worker that ended is reported for this long, milliseconds. */
const LOSS_SHOWN_MS = 600_000;
/** A token is reported this long before its expiry, milliseconds. */
const EXPIRY_WARNING_MS = 7 * 86_400_000;
/** Upper bound of the nodes that one sentence names. */
const MAX_NAMED = 3;

export function statusResource(dependencies: Dependencies): StatusResource {
  const { cluster, config, feed, state, storeSync, sharedSync, supervised, epoch, startedAtUnixMs, controlUrl } =
    dependencies;
  const { registry, clocks } = cluster;
  const { isSettled, learningMs } = registry.settling(clocks.nowMs());
  const totals = feed.workers.totals();
  const { kind, isReachable, sinceUnixMs, lastError, waiting } = storeSync.status;
  const unserved = registry.unserved();
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
    nodes: registry.counts(),
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
    requestsPerSecond: Math.round(feed.workers.requestsPerSecond() * 10) / 10,
    advice: advice(dependencies, unserved),
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

/** Advice to the operator in sentences, the most severe first; empty without problems. */
function advice(dependencies: Dependencies, unserved: readonly UnservedContext[]): string[] {
  const { cluster, config, feed, state, storeSync, history, supervised, tokens } = dependencies;
  const sentences: string[] = [];
  sentences.push(...unservedAdvice(unserved), ...lostWorkers(dependencies));
  const nowUnixMs = cluster.clocks.nowUnixMs();
  if (feed.workers.connected === 0) sentences.push(noWorkerAdvice(supervised.resources));
  sentences.push(...restartAdvice(supervised.resources, nowUnixMs));
  for (const reason of feed.workers.refusals())
    sentences.push(
      `Refused: ${reason}. It serves what it last knew. Reload, or restart, so that both are of one release.`,
    );
  if (state.problem)
    sentences.push(
      `The state directory ${state.path} cannot be written since ${new Date(state.problem.sinceUnixMs).toISOString()}: ${state.problem.message}. State is kept in memory until it can be; without a lock file there, the control port is the lock.`,
    );
  sentences.push(...tokens.problems);
  sentences.push(...tokenAdvice(dependencies));
  const store = storeSync.status;
  if (!store.isReachable) {
    const since = new Date(store.sinceUnixMs).toISOString();
    sentences.push(
      `The store (${store.kind}) ${store.kind === 'file' ? 'cannot be written' : 'is unreachable'} since ${since}: ${store.lastError ?? 'no answer'}. Requests are served from memory; ${store.waiting} records wait to be written.`,
    );
    if (store.isForgetful)
      sentences.push(
        'Settings of operators from before the start are not in force, because the store could not be read.',
      );
  }
  sentences.push(...sharingAdvice(dependencies.sharedSync?.status));
  sentences.push(...clearTextAdvice(config));
  sentences.push(...siteCertificateAdvice(supervised.resources, nowUnixMs));
  if (config.tls?.problem !== undefined)
    sentences.push(problemAdvice(CONTROL_CERTIFICATE, config.tls, config.tls.problem, 'the control process'));
  const ending = config.tls && endAdvice(CONTROL_CERTIFICATE, config.tls, nowUnixMs);
  if (ending !== undefined) sentences.push(ending);
  sentences.push(...portAdvice(cluster));
  for (const finding of cluster.registry.stickyFindings()) sentences.push(stickySentence(finding));
  sentences.push(...copiesAdvice(dependencies), ...nodeAdvice(dependencies));
  if (store.unreadable > 0)
    sentences.push(`${store.unreadable} stored records could not be understood and were skipped.`);
  sentences.push(...auditAdvice(history));
  return sentences;
}

function auditAdvice({ audit }: Dependencies['history']): string[] {
  const { lost, trouble } = audit;
  const losses = lost === 0 ? '' : ` ${lost} entries of the audit are lost.`;
  if (trouble === undefined) return losses === '' ? [] : [losses.trim()];
  return [
    `The audit ${trouble.path} cannot be written (${trouble.reason}): ${trouble.waiting} entries wait and are tried again each second.${losses}`,
  ];
}

/** Advice on tokens that expire, because their nodes then leave the cluster. */
function tokenAdvice({ cluster, tokens }: Dependencies): string[] {
  const nowUnixMs = cluster.clocks.nowUnixMs();
  const none =
    tokens.isJoinTokenNeeded && !tokens.canJoin
      ? ['No join token is valid, so no agent can join. To do: rollcall token create NAME --role join.']
      : [];
  const expiring = tokens.records.flatMap(({ name, expiresAtMs = Number.POSITIVE_INFINITY }) => {
    const nodes = cluster.registry.presentOf(name);
    if (nodes === 0 || expiresAtMs > nowUnixMs + EXPIRY_WARNING_MS || expiresAtMs <= nowUnixMs) return [];
    const end = new Date(expiresAtMs).toISOString();
    return [
      `The token ${name} expires at ${end}; its ${nodes} nodes leave then. To extend it: rollcall token set ${name} --expires 30d.`,
    ];
  });
  return [...none, ...expiring];
}

/** Advice on balancers whose wrappers cannot keep all copies. */
function copiesAdvice({ cluster: { registry } }: Dependencies): string[] {
  const sentences: string[] = [];
  for (const name of registry.balancers()) {
    const copies = registry.copies(name);
    if (copies === undefined || copies.failing.length === 0) continue;
    sentences.push(
      `Balancer ${name} wants ${copies.wanted} nodes: ${copiesText(copies)}. See rollcall balancer ${name}.`,
    );
  }
  const more = sentences.length - MAX_NAMED;
  return [...sentences.slice(0, MAX_NAMED), ...(more > 0 ? [`${more} more balancers have failing copies.`] : [])];
}

function nodeAdvice(dependencies: Dependencies): string[] {
  const { cluster } = dependencies;
  const unreachable: string[] = [];
  const unreachableUrls: NodeUrl[] = [];
  const differing: string[] = [];
  const unready: string[] = [];
  const blocked: string[] = [];
  const flapping: string[] = [];
  for (const node of cluster.registry.nodes()) {
    if (node.liveness === 'gone') continue;
    if (node.livenessReason === 'blocked') blocked.push(`${node.id}: ${node.livenessDetail}`);
    else if (node.livenessDetail !== undefined && node.liveness !== 'up') {
      unreachable.push(`${node.id} (${node.livenessDetail})`);
      unreachableUrls.push(node.registration.url);
    }
    if (node.settingsFault !== undefined) differing.push(node.id);
    if (!node.isReady) unready.push(`${node.id} (${node.readyReason ?? 'by its own report'})`);
    if (node.returns.flapping) flapping.push(`${node.id} (${node.returns.flapping.count} returns)`);
  }
  const sentences: string[] = sharedAddresses(dependencies);
  if (flapping.length > 0)
    sentences.push(
      `Flapping: ${named(flapping)}. After each return they get no new sessions for 1 s, doubled each time up to 60 s, and ramp up twice as slowly, until ten minutes pass without suspicion. Check why their processes end: memory, the health check of a supervisor, the network.`,
    );
  if (blocked.length > 0)
    sentences.push(
      `Registered, answering, and without a context: ${named(blocked)}. They join when the context is free.`,
    );
  if (unready.length > 0)
    sentences.push(`Not ready: ${named(unready)}. New sessions go elsewhere while a ready node is there.`);
  if (unreachable.length > 0)
    sentences.push(`Not reachable from here: ${named(unreachable)}. ${listeningQuestion(unreachableUrls)}`);
  if (differing.length > 0)
    sentences.push(`Registered with sticky settings that differ from those in force: ${named(differing)}.`);
  return sentences;
}

/** Static members of one balancer with one address: their program gets the share of several nodes. */
function sharedAddresses({ cluster }: Dependencies): string[] {
  const members = new Map<string, string[]>();
  for (const { id, kind, liveness, registration } of cluster.registry.nodes()) {
    if (kind !== 'static' || liveness === 'gone') continue;
    const key = `${registration.balancer} ${registration.url}`;
    members.set(key, [...(members.get(key) ?? []), id]);
  }
  const shared = [...members.values()].filter(({ length }) => length > 1).map((ids) => ids.join(' and '));
  if (shared.length === 0) return [];
  return [
    `Members with the same address in one balancer: ${named(shared)}. Their program gets the share of several nodes. To do: rollcall remove one of them.`,
  ];
}

/** Workers that ended without finishing their requests. */
function lostWorkers({ supervised, cluster }: Dependencies): string[] {
  const nowUnixMs = cluster.clocks.nowUnixMs();
  const sentences = supervised.ended
    .filter(({ name, atUnixMs }) => name.startsWith('worker') && nowUnixMs - atUnixMs < LOSS_SHOWN_MS)
    .map(
      ({ name, pid, detail, atUnixMs }) =>
        `The process ${name} (pid ${pid}) ended (${detail}) ${ageText(nowUnixMs - atUnixMs)} ago: its requests in flight are lost, and no counter has them. To do: see the log of rollcall up and, for SIGKILL, the memory of the machine.`,
    );
  return sentences.slice(-MAX_NAMED);
}

function named(names: readonly string[]): string {
  const more = names.length - MAX_NAMED;
  return names.slice(0, MAX_NAMED).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
