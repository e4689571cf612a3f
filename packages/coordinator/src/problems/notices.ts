/** Sentences for operators about everything that is not as it should be, the most severe first. */
import {
  ageText,
  copiesText,
  type NodeUrl,
  type ProblemKind,
  type ProblemLevel,
  type UnservedContext,
} from '@rollcall/protocol';
import type { Dependencies } from '../admin/dependencies.ts';
import { listeningQuestion } from '../agents/listening-question.ts';
import { stickySentence } from '../events/sticky-sentence.ts';
import { CONTROL_CERTIFICATE, endAdvice, problemAdvice } from '../network/certificate-advice.ts';
import { clearTextAdvice } from '../network/clear-text.ts';
import { sharingAdvice } from '../sync/sharing-advice.ts';
import type { Notice } from './notice.ts';
import { portAdvice, unservedAdvice } from './port-advice.ts';
import { noWorkerAdvice, restartAdvice, siteCertificateAdvice } from './process-advice.ts';

/** A process that ended is reported for this long, milliseconds. */
const LOSS_SHOWN_MS = 600_000;
/** A token is reported this long before its expiry, milliseconds. */
const EXPIRY_WARNING_MS = 7 * 86_400_000;
/** Upper bound of the nodes that one sentence names. */
const MAX_NAMED = 3;

export function notices(dependencies: Dependencies, unserved: readonly UnservedContext[]): Notice[] {
  const { cluster, config, feed, state, storeSync, history, supervised, tokens } = dependencies;
  const { registry, clocks } = cluster;
  const nowUnixMs = clocks.nowUnixMs();
  const { tls } = config;
  const ending = tls && endAdvice(CONTROL_CERTIFICATE, tls, nowUnixMs);
  const { unreadable } = storeSync.status;
  return [
    ...of('unserved', 'outage', unservedAdvice(unserved)),
    ...of('process', 'risk', lostProcesses(dependencies)),
    ...of('no-worker', 'outage', feed.workers.connected === 0 ? [noWorkerAdvice(supervised.resources)] : []),
    ...of('process', 'harm', restartAdvice(supervised.resources, nowUnixMs)),
    ...of(
      'process',
      'risk',
      feed.workers
        .refusals()
        .map(
          (reason) =>
            `Refused: ${reason}. It serves what it last knew. Reload, or restart, so that both are of one release.`,
        ),
    ),
    ...of('state', 'risk', stateAdvice(state)),
    ...of('token', 'risk', [...tokens.problems, ...tokenAdvice(dependencies)]),
    ...of('store', 'risk', storeAdvice(storeSync)),
    ...sharingAdvice(dependencies.sharedSync?.status),
    ...of('configuration', 'risk', clearTextAdvice(config)),
    ...of('certificate', 'risk', [
      ...siteCertificateAdvice(supervised.resources, nowUnixMs),
      ...(tls?.problem === undefined
        ? []
        : [problemAdvice(CONTROL_CERTIFICATE, tls, tls.problem, 'the control process')]),
      ...(ending === undefined ? [] : [ending]),
    ]),
    ...of('not-answering', 'harm', portAdvice(cluster)),
    ...of('sticky', 'risk', registry.stickyFindings().map(stickySentence)),
    ...of('copies', 'harm', copiesAdvice(dependencies)),
    ...nodeAdvice(dependencies),
    ...of(
      'store',
      'risk',
      unreadable > 0 ? [`${unreadable} stored records could not be understood and were skipped.`] : [],
    ),
    ...of('state', 'risk', auditAdvice(history)),
  ];
}

function of(kind: ProblemKind, level: ProblemLevel, sentences: readonly string[]): Notice[] {
  return sentences.map((sentence) => ({ kind, level, sentence }));
}

function stateAdvice({ path, problem }: Dependencies['state']): string[] {
  if (problem === undefined) return [];
  return [
    `The state directory ${path} cannot be written since ${new Date(problem.sinceUnixMs).toISOString()}: ${problem.message}. State is kept in memory until it can be; without a lock file there, the control port is the lock.`,
  ];
}

function storeAdvice({ status }: Dependencies['storeSync']): string[] {
  const { kind, isReachable, sinceUnixMs, lastError, waiting, isForgetful } = status;
  if (isReachable) return [];
  const since = new Date(sinceUnixMs).toISOString();
  return [
    `The store (${kind}) ${kind === 'file' ? 'cannot be written' : 'is unreachable'} since ${since}: ${lastError ?? 'no answer'}. Requests are served from memory; ${waiting} records wait to be written.`,
    ...(isForgetful
      ? ['Settings of operators from before the start are not in force, because the store could not be read.']
      : []),
  ];
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

function nodeAdvice(dependencies: Dependencies): Notice[] {
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
  const found = of('configuration', 'risk', sharedAddresses(dependencies));
  const add = (kind: ProblemKind, level: ProblemLevel, sentence: string): void => {
    found.push({ kind, level, sentence });
  };
  if (flapping.length > 0)
    add(
      'flapping',
      'risk',
      `Flapping: ${named(flapping)}. After each return they get no new sessions for 1 s, doubled each time up to 60 s, and ramp up twice as slowly, until ten minutes pass without suspicion. Check why their processes end: memory, the health check of a supervisor, the network.`,
    );
  if (blocked.length > 0)
    add(
      'not-answering',
      'risk',
      `Registered, answering, and without a context: ${named(blocked)}. They join when the context is free.`,
    );
  if (unready.length > 0)
    add('not-ready', 'risk', `Not ready: ${named(unready)}. New sessions go elsewhere while a ready node is there.`);
  if (unreachable.length > 0)
    add(
      'not-answering',
      'harm',
      `Not reachable from here: ${named(unreachable)}. ${listeningQuestion(unreachableUrls)}`,
    );
  if (differing.length > 0)
    add(
      'configuration',
      'risk',
      `Registered with sticky settings that differ from those in force: ${named(differing)}.`,
    );
  return found;
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

/** Processes that ended by themselves and were replaced. */
function lostProcesses({ supervised, cluster }: Dependencies): string[] {
  const nowUnixMs = cluster.clocks.nowUnixMs();
  const sentences = supervised.ended
    .filter(({ atUnixMs }) => nowUnixMs - atUnixMs < LOSS_SHOWN_MS)
    .map(({ name, pid, detail, atUnixMs }) => {
      const effect = name.startsWith('worker')
        ? 'its requests in flight are lost, and no counter has them'
        : 'until its successor ran, the workers served the last known cluster';
      return `The process ${name} (pid ${pid}) ended (${detail}) ${ageText(nowUnixMs - atUnixMs)} ago: ${effect}. To do: see the log of rollcall up and, for SIGKILL, the memory of the machine.`;
    });
  return sentences.slice(-MAX_NAMED);
}

function named(names: readonly string[]): string {
  const more = names.length - MAX_NAMED;
  return names.slice(0, MAX_NAMED).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
