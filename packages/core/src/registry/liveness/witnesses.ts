/**
 * Applies the rule of given-up.ts to the two witnesses: the heartbeats at the registry, and the ports at the workers. It does so after
 * each report, each lost connection and each due deadline.
 */
import type { NodeId } from '@rollcall/protocol';
import type { PortsSeenCommand } from '../commands.ts';
import type { Rejection } from '../events.ts';
import type { NodeRecord } from '../node/node-record.ts';
import { isInFeed } from '../node/node-status.ts';
import { type RegistryState, rejected } from '../registry-state.ts';
import { isUnanswered, judgeSuspect } from './given-up.ts';
import { isOver } from './lease.ts';
import type { LiveNodes } from './live-nodes.ts';

export function portsSeen(state: RegistryState, { worker, ports }: PortsSeenCommand): Rejection | undefined {
  if (!state.ports.isConnected(worker)) return rejected('not-registered', `worker ${worker} has not joined`);
  for (const [id, port] of ports) {
    const node = state.nodes.get(id);
    if (node === undefined || !isInFeed(node.liveness)) continue;
    state.ports.set(worker, id, port);
    if (port === 'answers') answered(state, node);
    judge(state, node);
  }
  return undefined;
}

function answered(state: RegistryState, node: NodeRecord): void {
  node.signAtMs = state.nowMs;
  node.addressFault = undefined;
  if (node.kind === 'agent' && !state.isReported(node)) return;
  node.heardAtMs = state.nowMs;
  // After a change of the address the report may concern the earlier one: the coordinator's probe decides.
  if (!node.awaitsProbe) state.markUp(node);
}

/**
 * Reports on these nodes are missing because a worker has left, or is back on another connection. The other workers' reports are judged
 * later, after `suspectMs`: a worker that reconnects reports at once.
 */
export function missReports(state: RegistryState, ids: readonly NodeId[]): void {
  for (const id of ids) state.scheduleWithin(state.nodes.get(id)!, state.options.suspectMs);
}

/** Judges a node in the feed. The lease is evaluated only with `live`, which a tick provides: only time ends it. */
export function judge(state: RegistryState, node: NodeRecord, live?: LiveNodes): void {
  const ports = state.ports.counts(node.id);
  const isJudgedByPort = node.kind !== 'agent' || state.isReported(node);
  if (isJudgedByPort && node.liveness === 'up' && isUnanswered(ports)) state.markSuspect(node, 'unresponsive');
  if (node.liveness !== 'suspect') return;
  if (live !== undefined) endHold(state, node, live);
  const verdict = judgeSuspect({
    kind: node.kind,
    isUnheard: !state.isAgentHeard(node),
    ports,
    isLeaseOver: live !== undefined && isOver(state.lease(node), state.nowMs),
    areOthersLive: () => live?.areOthersLive(node) === true,
  });
  if (verdict === 'held') node.isHeld = true;
  else if (verdict === 'stays') return;
  else if (node.kind === 'static') state.markDown(node, verdict);
  else state.markGone(node, verdict);
}

/** The lease restarts at full length when another node of each context is live again; a sign of life ends the hold as well. */
function endHold(state: RegistryState, node: NodeRecord, live: LiveNodes): void {
  if (!node.isHeld) return;
  const isOverdue = isOver(state.lease(node), state.nowMs);
  if (isOverdue && !live.areOthersLive(node)) return;
  if (isOverdue) node.heldUntilMs = state.nowMs;
  node.isHeld = false;
}
