/** Advice on nodes whose heartbeats and ports disagree, and on contexts that no node serves. */
import type { NodeView } from '@rollcall/core';
import {
  inSeconds,
  moreUnservedSentence,
  type PortReport,
  type UnservedCause,
  type UnservedContext,
  unservedSentence,
} from '@rollcall/protocol';
import type { Cluster } from '../cluster.ts';

/** Upper bound of the nodes or contexts that one sentence names. */
const MAX_NAMED = 3;
/** Causes that an operator or the nodes intended: they need no advice. */
const MEANT: ReadonlySet<UnservedCause> = new Set(['left', 'removed']);

/** True for a context without nodes by intention. */
export function isMeant({ cause }: UnservedContext): boolean {
  return MEANT.has(cause);
}

interface Report {
  readonly worker: string;
  readonly port: PortReport;
}

/** Contexts that unintentionally have no node, each with the remedy. */
export function unservedAdvice(unserved: readonly UnservedContext[]): string[] {
  const sentences = unserved.filter((context) => !isMeant(context)).map(unservedSentence);
  return bounded(sentences, moreUnservedSentence);
}

/** State of the ports of suspect and down nodes, and workers that cannot use a node that sends heartbeats. */
export function portAdvice({ registry, clocks }: Cluster): string[] {
  const nowMs = clocks.nowMs();
  const silent: string[] = [];
  const partial: string[] = [];
  for (const node of registry.nodes()) {
    if (node.liveness === 'suspect') silent.push(suspectSentence(node, registry.ports(node.id), nowMs));
    else if (node.liveness === 'down')
      silent.push(
        `${node.id} is down: ${node.livenessReason === 'refused' ? 'its port refuses connections' : 'it answers no worker'}; it returns by itself when it answers.`,
      );
    else if (node.liveness === 'up') {
      const unusable = registry.ports(node.id).filter(({ port }) => port === 'refused' || port === 'given-up');
      if (unusable.length > 0)
        partial.push(
          `${node.id} sends heartbeats, but ${listed(unusable, 'cannot use it')} (${unusable[0]!.port}); ${unusable.length === 1 ? 'that worker moves' : 'those workers move'} its sessions.`,
        );
    }
  }
  return [
    ...bounded(silent, (more) => `${more} more nodes are suspect or down.`),
    ...bounded(partial, (more) => `${more} more nodes cannot be used by some worker.`),
  ];
}

function suspectSentence(node: NodeView, reports: readonly Report[], nowMs: number): string {
  return `${node.id}: ${unheard(node, nowMs)}; ${portWords(reports)}.`;
}

function unheard({ livenessReason, isConnected, heardAtMs }: NodeView, nowMs: number): string {
  const since = inSeconds(nowMs - heardAtMs);
  switch (livenessReason) {
    case 'expected':
      return 'not back since the coordinator started';
    case 'unresponsive':
      return `no answer for ${since}`;
    case 'restarted':
    case 'unreachable':
      return 'its new process or address is being probed';
    default:
      return isConnected ? `no heartbeat for ${since}` : `its connection closed, no heartbeat for ${since}`;
  }
}

/** The best report decides, because one worker that reaches the node keeps it. */
function portWords(reports: readonly Report[]): string {
  const by = (port: PortReport): readonly Report[] => reports.filter((report) => report.port === port);
  const answering = by('answers');
  if (answering.length > 0) return `it still answers ${workers(answering)} and keeps its sessions`;
  const unresponsive = by('unresponsive');
  if (unresponsive.length > 0)
    return `it does not answer ${workers(unresponsive)}, and requests of its sessions wait there`;
  const refused = by('refused');
  if (refused.length > 0) return `it refuses connections of ${workers(refused)}, and its sessions move`;
  const givenUp = by('given-up');
  if (givenUp.length > 0) return `${listed(givenUp, 'has given it up', 'have given it up')}, and its sessions move`;
  return 'no worker has probed its port yet';
}

function workers(reports: readonly Report[]): string {
  const names = reports.slice(0, MAX_NAMED).map(({ worker }) => worker);
  const more = reports.length - MAX_NAMED;
  return `${reports.length === 1 ? 'worker' : 'workers'} ${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function listed(reports: readonly Report[], verb: string, verbs: string = verb): string {
  return `${workers(reports)} ${reports.length === 1 ? verb : verbs}`;
}

function bounded(sentences: readonly string[], rest: (more: number) => string): string[] {
  const more = sentences.length - MAX_NAMED;
  return [...sentences.slice(0, MAX_NAMED), ...(more > 0 ? [rest(more)] : [])];
}
