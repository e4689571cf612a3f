import type { Event } from '@rollcall/core';
import {
  type BalancerName,
  compactDuration,
  drainEndText,
  durationText,
  type EventResource,
  failingText,
  inSeconds,
  type NodeId,
  sessionsText,
} from '@rollcall/protocol';
import { stickyOverSentence, stickySentence } from './sticky-sentence.ts';

/** An event for people and programs, without number and time. */
export type EventLine = Omit<EventResource, 'id' | 'atUnixMs'>;

/** Describes a registry event in one sentence. `undefined` for `load` events, which are numbers and not history. */
export function eventLine(event: Event): EventLine | undefined {
  switch (event.type) {
    case 'load':
      return undefined;
    case 'balancer':
      return {
        type: event.type,
        balancer: event.balancer.name,
        message: `balancer ${event.balancer.name}${event.changes === undefined ? ` uses ${event.balancer.algorithm} and ${event.balancer.sessionAlgorithm}, sticky ${event.balancer.sticky.mode}, ${event.balancer.retries} retries` : `: ${event.changes}`}`,
        ...(event.by !== undefined && { by: event.by }),
      };
    case 'forgotten':
      return {
        type: event.type,
        node: event.id,
        balancer: event.balancer,
        message: `route ${event.route} of node ${event.id} is forgotten`,
      };
    case 'conflict-lost': {
      const [kind, name = ''] = event.key.split('/');
      return {
        type: event.type,
        ...(kind === 'balancer' ? { balancer: name as BalancerName } : { node: name as NodeId }),
        message: conflictSentence(event, name),
      };
    }
    case 'settled':
      return { type: event.type, message: settledSentence(event.isSettled, event.learningMs) };
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

type NodeEvent = Exclude<Event, { type: 'load' | 'balancer' | 'forgotten' | 'conflict-lost' | 'settled' | 'sticky' }>;

function nodeSentence(event: NodeEvent): string {
  const { id } = event;
  switch (event.type) {
    case 'registered':
      return `node ${id} ${event.isNew ? 'registered' : event.isReturn ? 'is back' : 'registered again'}${event.needsProbe ? ', its address is being probed' : ''}`;
    case 'connection-refused':
      return `connection of node ${id} refused (${event.code}): ${event.message}`;
    case 'scale':
      return event.isRepeat
        ? `the wrapper of node ${id} shall start its failing copies of balancer ${event.balancer} again, ${event.count} in all`
        : `the wrapper of node ${id} shall keep ${event.count} ${event.count === 1 ? 'copy' : 'copies'} of balancer ${event.balancer}`;
    case 'copies-failing':
      return `the wrapper of node ${id} cannot keep all copies of balancer ${event.balancer} and keeps trying: ${failingText(event.failing)}`;
    case 'up':
      return `node ${id} is up, was ${event.from}`;
    case 'blocked':
      return `node ${id} answers, but another balancer serves its context: ${event.detail}`;
    case 'flapping':
      return event.isOn
        ? `node ${id} is flapping: ${event.count} returns within ten minutes; after each return it is held down from new sessions for 1 s to 60 s, and its ramp is twice as long`
        : `node ${id} is no longer flapping: ten minutes without suspicion after ${event.count} returns`;
    case 'claim-conflict':
      return `node ${id} of another coordinator conflicts with ${event.holders.join(', ')}, and the earlier claim stays: ${event.message}`;
    case 'unreachable':
      return `node ${id} cannot be reached: ${event.detail}`;
    case 'suspect':
      return suspectSentence(id, event);
    case 'gone':
      return `node ${id} is gone: ${goneWords(event)}`;
    case 'down':
      return `node ${id} is down: ${event.cause === 'refused' ? 'its port refuses connections' : `no answer for ${inSeconds(event.silentMs)}`}`;
    case 'ready':
      return event.isReady
        ? `node ${id} is ready`
        : `node ${id} is not ready${event.detail === undefined ? '' : `, it ${event.detail}`}: it keeps its sessions, new ones go elsewhere while a ready node is there`;
    case 'status':
      return statusSentence(event);
    case 'budget':
      return budgetSentence(event);
    case 'drained':
      return drainedSentence(event);
    case 'acknowledged':
      return `an operator knows that node ${id} is missing${reasonOf(event.reason)}`;
    case 'patched':
      return `node ${id}: ${event.what}`;
    default:
      return event satisfies never;
  }
}

type LostEvent = Extract<Event, { type: 'conflict-lost' }>;
const LOST_WORDS = {
  request: 'the request for node',
  settings: 'the settings of balancer',
  id: 'the claim to the id of node',
  route: 'the claim to the route of node',
  context: 'the claim to a context of node',
} as const;

function conflictSentence({ what, own, other, more }: LostEvent, name: string): string {
  const further = more === undefined ? '' : `; ${more} more conflicts were lost in the same minute`;
  return `${LOST_WORDS[what]} ${name} lost a conflict: ${own.value} of coordinator ${own.coordinator} lost against ${other.value} of coordinator ${other.coordinator}${further}`;
}

/** Also the message to the agent. */
export function budgetSentence({
  id,
  balancer,
  isOn,
  holdMs,
  eligible,
  minEligible,
}: Extract<Event, { type: 'budget' }>): string {
  const others = `${eligible} other eligible ${eligible === 1 ? 'node' : 'nodes'} of balancer ${balancer}`;
  if (!isOn)
    return eligible < minEligible
      ? `node ${id} drains now, because its time is over: ${others}, fewer than min-eligible ${minEligible}`
      : `node ${id} drains now: enough other nodes of balancer ${balancer} are eligible`;
  return `node ${id} wants to end and keeps serving for up to ${inSeconds(holdMs)}: ${others}, fewer than min-eligible ${minEligible}`;
}

type DrainedEvent = Extract<Event, { type: 'drained' }>;

function drainedSentence({ id, cause, sessionsLeft, sessionsSeenOnce, inFlight }: DrainedEvent): string {
  const once = sessionsSeenOnce > 0 ? ` and ${sessionsSeenOnce} seen once` : '';
  switch (cause) {
    case 'deadline':
      return `node ${id}: ${drainEndText('deadline-over', sessionsLeft)}${once}, ${inFlight} in flight`;
    case 'killed':
      return `node ${id}: ${drainEndText('killed', sessionsLeft)}${once}, ${inFlight} in flight`;
    case 'idle':
      // Only a stop ends with sessions.
      return sessionsLeft > 0
        ? `node ${id} is stopped: nothing is in flight, ${sessionsText(sessionsLeft, sessionsSeenOnce)} move`
        : `node ${id} is ${drainEndText('empty', 0)}: nothing is in flight, no session is left; it is safe to stop`;
    default:
      return cause satisfies never;
  }
}

type StatusEvent = Extract<Event, { type: 'status' }>;

function statusSentence(event: StatusEvent): string {
  const { id, side, status, effective, reason, deadlineMs, forMs, ended, contexts } = event;
  if (ended !== undefined) {
    const cause = ended.cause === 'time' ? 'the time limit is over' : 'another process has registered';
    const requester = side === 'node' ? 'the node' : (ended.by ?? 'an operator');
    const why = ended.reason === undefined || ended.reason === '' ? '' : ` (${ended.reason})`;
    const age = compactDuration(ended.ageMs);
    return `node ${id} reverts from ${ended.status} to ${status}${inForce(status, effective)}: ${cause}; ${requester} requested ${ended.status} ${age} ago${why}`;
  }
  if (contexts !== undefined)
    return `an operator requests ${status} for ${contexts.join(', ')} of node ${id}${reasonOf(reason)}`;
  const time = forMs === undefined ? '' : ` for ${durationText(forMs)}`;
  const deadline =
    deadlineMs === undefined
      ? ''
      : deadlineMs === null
        ? ', without a deadline'
        : `, deadline in ${durationText(deadlineMs)}`;
  const request =
    side === 'node' ? `node ${id} requests ${status} for itself` : `an operator requests ${status} for node ${id}`;
  return `${request}${time}${deadline}${inForce(status, effective)}${reasonOf(reason)}`;
}

/** The more restrictive status of the other side, if there is one. */
function inForce(status: string, effective: string): string {
  return status === effective ? '' : `, it stays ${effective}`;
}

function suspectSentence(id: string, { reason, silentMs }: Extract<Event, { type: 'suspect' }>): string {
  switch (reason) {
    case 'silent':
      return `node ${id} is suspect: no heartbeat for ${inSeconds(silentMs)}`;
    case 'disconnected':
      return `node ${id} is suspect: its connection closed without leave`;
    case 'unresponsive':
      return `node ${id} is suspect: it answers no worker`;
    case 'restarted':
      return `node ${id} is suspect: another process or address has its id now and is being probed`;
    default:
      return reason satisfies never;
  }
}

function goneWords({ cause, silentMs, isConnected, isTermOver, isExpelled }: Extract<Event, { type: 'gone' }>): string {
  switch (cause) {
    case 'left':
      return isExpelled ? 'its token has ended or does not permit it any more' : 'it left';
    case 'removed':
      return 'an operator removed it';
    case 'taken':
      return 'another node or program has its address';
    case 'claim-lost':
      return 'another coordinator has accepted a node with its id, route or context';
    case 'refused':
      return isConnected
        ? `no heartbeat for ${inSeconds(silentMs)}, and its port refuses connections`
        : 'its connection closed and its port refuses connections';
    case 'expired':
      return isTermOver
        ? `its registration was not repeated for ${inSeconds(silentMs)}`
        : `no sign of life for ${inSeconds(silentMs)}`;
    default:
      return cause satisfies never;
  }
}

function settledSentence(isSettled: boolean, learningMs: number): string {
  if (isSettled && learningMs === 0) return 'the start is over: no session waits for a node that is not back';
  return learningMs > 0
    ? `agents have had time to return; sessions of nodes that are not back wait ${inSeconds(learningMs)} more`
    : 'no session waits for a node that is not back; agents still have time to return';
}

function reasonOf(reason: string | undefined): string {
  return reason === undefined || reason === '' ? '' : `: ${reason}`;
}

function byOf(event: Event): { by?: string } {
  return 'by' in event && event.by !== undefined ? { by: event.by } : {};
}
