import type { Event } from '@rollcall/core';
import type { EventResource } from '@rollcall/protocol';
import { stickyOverSentence, stickySentence } from './sticky-sentence.ts';

/** An event as people and machines read it, still without number and time; `undefined` for mere numbers. */
export type EventLine = Omit<EventResource, 'id' | 'atUnixMs'>;

/** Puts a registry event into one sentence. `load` events are numbers, not history. */
export function eventLine(event: Event): EventLine | undefined {
  switch (event.type) {
    case 'load':
      return undefined;
    case 'balancer':
      return {
        type: event.type,
        balancer: event.balancer.name,
        message: `balancer ${event.balancer.name} uses ${event.balancer.algorithm} and ${event.balancer.sessionAlgorithm}, sticky ${event.balancer.sticky.mode}, ${event.balancer.retries} retries`,
        ...(event.by !== undefined && { by: event.by }),
      };
    case 'forgotten':
      return {
        type: event.type,
        node: event.id,
        balancer: event.balancer,
        message: `route ${event.route} of node ${event.id} is forgotten`,
      };
    case 'settled':
      return { type: event.type, message: settledSentence(event.isSettled, event.learningMs) };
    case 'self-preservation':
      return {
        type: event.type,
        message: event.isOn
          ? `${event.silent} of ${event.known} nodes fell silent at once: the fault is probably ours, nobody expires`
          : 'self-preservation is over: silent nodes expire again',
      };
    case 'sticky':
      return {
        type: event.isOn ? 'sticky-problem' : 'sticky-fine',
        balancer: event.finding.balancer,
        message: event.isOn ? stickySentence(event.finding) : stickyOverSentence(event.finding),
      };
    default:
      return { type: event.type, node: event.id, message: nodeSentence(event), ...byOf(event) };
  }
}

type NodeEvent = Exclude<
  Event,
  { type: 'load' | 'balancer' | 'forgotten' | 'settled' | 'self-preservation' | 'sticky' }
>;

function nodeSentence(event: NodeEvent): string {
  const { id } = event;
  switch (event.type) {
    case 'registered':
      return `node ${id} ${event.isNew ? 'registered' : event.isReturn ? 'is back' : 'registered again'}${event.needsProbe ? ', its address is being tried' : ''}`;
    case 'connection-refused':
      return `connection of node ${id} refused (${event.code}): ${event.message}`;
    case 'scale':
      return `the wrapper of node ${id} shall keep ${event.count} ${event.count === 1 ? 'copy' : 'copies'} of balancer ${event.balancer}`;
    case 'up':
      return `node ${id} is up, was ${event.from}`;
    case 'unreachable':
      return `node ${id} cannot be reached: ${event.detail}`;
    case 'suspect':
      return suspectSentence(id, event.reason, event.silentMs);
    case 'gone':
      return `node ${id} is gone: ${goneWords(event.cause)}${silence(event.cause === 'expired' ? event.silentMs : 0)}`;
    case 'status':
      return `${event.side === 'operator' ? 'operator' : 'node'} wants node ${id} ${event.status}, effective is ${event.effective}${reasonOf(event.reason)}`;
    case 'drained':
      return `node ${id} is drained (${event.cause}): ${event.sessionsLeft} sessions left, ${event.inFlight} in flight`;
    case 'patched':
      return `node ${id}: ${event.what}`;
    default:
      return event satisfies never;
  }
}

function suspectSentence(
  id: string,
  reason: 'silent' | 'disconnected' | 'unreachable' | 'restarted',
  silentMs: number,
): string {
  switch (reason) {
    case 'silent':
      return `node ${id} is suspect: no heartbeat${silence(silentMs)}`;
    case 'disconnected':
      return `node ${id} is suspect: its connection closed without leave`;
    case 'unreachable':
      return `node ${id} is suspect: the coordinator cannot connect to it`;
    case 'restarted':
      return `node ${id} is suspect: another process or address took its id over and is being tried`;
    default:
      return reason satisfies never;
  }
}

function goneWords(cause: 'left' | 'expired' | 'removed'): string {
  return cause === 'left' ? 'it left' : cause === 'expired' ? 'its lease expired' : 'an operator removed it';
}

function silence(ms: number): string {
  return ms > 0 ? ` (silent ${Math.round(ms)} ms)` : '';
}

function settledSentence(isSettled: boolean, learningMs: number): string {
  if (isSettled && learningMs === 0) return 'the coordinator knows the cluster';
  return learningMs > 0
    ? 'sessions of missing nodes wait for their return'
    : 'sessions no longer wait for missing nodes';
}

function reasonOf(reason: string | undefined): string {
  return reason === undefined || reason === '' ? '' : `: ${reason}`;
}

function byOf(event: Event): { by?: string } {
  return 'by' in event && event.by !== undefined ? { by: event.by } : {};
}
