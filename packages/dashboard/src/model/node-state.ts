/** The state of a node in a few words, the gravest first. */

import type { NodeRow } from '@rollcall/protocol';
import { isFailing, isSlow, type Peers } from './peers.ts';
import { spanText } from './times.ts';

/** Colour and mark of a state: never the colour alone. */
export type Tone = 'good' | 'planned' | 'risk' | 'harm' | 'outage' | 'quiet';

export interface NodeState {
  readonly tone: Tone;
  /** One or two words. */
  readonly word: string;
  /** The next thing to know: since when, why, or how much is left; may be empty. */
  readonly detail: string;
}

/** Order of states in a sorted table: the gravest first. */
export const TONES: readonly Tone[] = ['outage', 'harm', 'risk', 'planned', 'good', 'quiet'];

/** `nowMs` is the time of the coordinator. */
export function nodeState(node: NodeRow, peers: Peers | undefined, nowMs: number): NodeState {
  const { liveness, ejection, status, sinceUnixMs } = node;
  const since = sinceUnixMs > 0 ? `for ${spanText(nowMs - sinceUnixMs)}` : '';
  if (liveness === 'missing') return { tone: 'outage', word: 'missing', detail: since };
  if (liveness === 'gone') return { tone: 'quiet', word: 'gone', detail: since };
  if (liveness === 'down') return { tone: 'outage', word: 'down', detail: since };
  if (liveness === 'suspect') return { tone: 'risk', word: 'no answer', detail: since };
  if (ejection !== undefined && ejection.isOver !== true)
    return { tone: 'harm', word: 'ejected', detail: ejectionText(ejection) };
  if (status === 'stopped') return { tone: 'planned', word: 'stopped', detail: requestedText(node) };
  if (status === 'draining') return { tone: 'planned', word: 'draining', detail: drainText(node) };
  if (isFailing(node, peers) || node.problems?.includes('errors')) return { tone: 'harm', word: 'failing', detail: '' };
  if (isSlow(node, peers) || node.problems?.includes('slow')) return { tone: 'harm', word: 'slow', detail: '' };
  if (liveness === 'joining') return { tone: 'quiet', word: 'joining', detail: '' };
  if (node.isNotReady) return { tone: 'risk', word: 'not ready', detail: '' };
  if (node.problems?.includes('flapping')) return { tone: 'risk', word: 'flapping', detail: '' };
  if (node.isStandby) return { tone: 'quiet', word: 'standby', detail: '' };
  if (node.redirectTo !== undefined) return { tone: 'planned', word: 'redirects', detail: `to ${node.redirectTo}` };
  return { tone: 'good', word: 'up', detail: '' };
}

function ejectionText({ reason, count }: NonNullable<NodeRow['ejection']>): string {
  const times = count > 1 ? `${ordinal(count)} time, ` : '';
  return `${times}${reason}`;
}

function requestedText({ operatorStatus }: NodeRow): string {
  if (operatorStatus === undefined) return 'by the node';
  const { by = 'an operator', reason } = operatorStatus;
  return `by ${by}${reason === undefined ? '' : `: ${reason}`}`;
}

function drainText(node: NodeRow): string {
  const left = node.drain?.sessionsLeft ?? node.sessions;
  if (node.drain?.isDone) return left === 0 ? 'empty, safe to stop' : `deadline over, ${left} left`;
  return `${left} left, ${requestedText(node)}`;
}

function ordinal(count: number): string {
  const end = count % 100 >= 11 && count % 100 <= 13 ? 'th' : (['th', 'st', 'nd', 'rd'][count % 10] ?? 'th');
  return `${count}${end}`;
}

/** Part of the load as a percentage of the capacity; `undefined` for a standby node, and for one that never reported a load. */
export function busyPercent({ loadFactor, isStandby }: NodeRow): number | undefined {
  return loadFactor === undefined || isStandby ? undefined : 100 - loadFactor;
}
