/** What is to be known about a node besides its figures: why it is not up, who requested its status, its drain and its ejections. */
import { requestText } from '@rollcall/dashboard';
import { compactDuration, type DrainProgress, isPresent, type NodeResource } from '@rollcall/protocol';
import { endOfDone } from '../commands/drain-end.ts';
import { counted } from '../format.ts';

/**
 * Why the node is not up or not ready, and the state of its port. Who requested its status and why, its end, and the progress of a drain. Each
 * part is about a present state, so that a node that is up, ready and enabled has at most warnings.
 */
export function noteOf(node: NodeResource, nowUnixMs: number = Date.now()): string {
  const drain = isPresent(node) && node.liveness !== 'joining' && node.drain ? [drainText(node, node.drain)] : [];
  return [
    ...standing(node),
    ...ejectionNote(node, nowUnixMs),
    ...requestText(node),
    ...untilNote(node, nowUnixMs),
    ...overrideNotes(node),
    ...drain,
    ...parkedNote(node),
  ].join('; ');
}

/** Progress or end of a drain or stop. */
export function drainText(node: NodeResource, drain: DrainProgress): string {
  if (drain.isDone) return node.status === 'stopped' ? 'stopped' : endOfDone(drain).word;
  const waiting = drain.waitingFor.length > 0 ? `, waiting for ${drain.waitingFor.join(', ')}` : '';
  const deadline = node.wanted.deadlineAtUnixMs ?? node.reported.deadlineAtUnixMs;
  const left = deadline === undefined ? '' : `, at most ${compactDuration(Math.max(0, deadline - Date.now()))} more`;
  const oldest =
    drain.oldestSessionMs === undefined || drain.sessionsLeft === 0
      ? ''
      : ` (the oldest for at least ${compactDuration(drain.oldestSessionMs)})`;
  const used = drain.usedInLastMinute === undefined ? '' : `, ${drain.usedInLastMinute} used in the last minute`;
  const empty =
    drain.emptyAtUnixMs === undefined
      ? ''
      : `, empty in about ${compactDuration(Math.max(0, drain.emptyAtUnixMs - Date.now()))}`;
  const once = drain.sessionsSeenOnce > 0 ? ` and ${drain.sessionsSeenOnce} seen once` : '';
  return `${counted(drain.sessionsLeft, 'session')}${oldest}${once}, ${drain.inFlight} in flight, ${counted(drain.tunnels, 'tunnel')} left${used}${empty}${waiting}${left}`;
}

function standing(node: NodeResource): string[] {
  const elsewhere = node.heardBy === undefined ? [] : [`reported by ${node.heardBy.join(', ')} only`];
  const unready = [...elsewhere, ...(node.readyReason === undefined || !isPresent(node) ? [] : [node.readyReason])];
  if (node.livenessReason === undefined)
    return node.warnings.length === 0 ? unready : [...unready, node.warnings.map(({ code }) => code).join(' ')];
  const ports = node.liveness === 'suspect' ? node.observed.ports : [];
  return [node.livenessReason, ...unready, ...ports.map(({ worker, port }) => `${port} at ${worker}`)];
}

/** `ejected 12s ago, 3 times in 10 minutes: it fails`, as long as the ejection lasts. */
function ejectionNote({ observed: { isEjected, ejection } }: NodeResource, nowUnixMs: number): string[] {
  return isEjected && ejection !== undefined ? [ejectionText(ejection, nowUnixMs)] : [];
}

export function ejectionText(
  { reason, sinceUnixMs, count }: NonNullable<NodeResource['observed']['ejection']>,
  nowUnixMs: number,
): string {
  const times = count > 1 ? `, ${count} times in 10 minutes` : '';
  return `ejected ${compactDuration(Math.max(0, nowUnixMs - sinceUnixMs))} ago${times}: ${reason}`;
}

/** End of the request of an operator. */
function untilNote({ wanted: { untilUnixMs } }: NodeResource, nowUnixMs: number): string[] {
  return untilUnixMs === undefined ? [] : [`reverts in ${compactDuration(Math.max(0, untilUnixMs - nowUnixMs))}`];
}

function overrideNotes({ isStandby, redirectTo }: NodeResource): string[] {
  return [...(isStandby ? ['standby'] : []), ...(redirectTo === undefined ? [] : [`redirects to ${redirectTo}`])];
}

function parkedNote({ observed: { parked } }: NodeResource): string[] {
  return parked === 0 ? [] : [`${parked} parked`];
}
