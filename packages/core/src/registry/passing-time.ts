/** Changes by time alone: suspicion, ends of leases, requested statuses and drains, forgetting, the end of the learning window. */
import type { StickySample } from '@rollcall/feed';
import type { BalancerName } from '@rollcall/protocol';
import type {
  AgentsHeldCommand,
  ObserveCommand,
  SessionsSeenCommand,
  StalledCommand,
  StickySeenCommand,
} from './commands.ts';
import type { Rejection } from './events.ts';
import { releasedStatuses } from './held-status.ts';
import { isOver, shiftedByStall } from './liveness/lease.ts';
import { LiveNodes } from './liveness/live-nodes.ts';
import { judge } from './liveness/witnesses.ts';
import { NO_RETURNS, released } from './node/flapping.ts';
import type { NodeRecord } from './node/node-record.ts';
import { endedRequest, endOfRequest, forgetAtMs, noRequestedStatus } from './node/node-record.ts';
import { applyNodeStatus, disconnect } from './node-commands.ts';
import { applyOperatorStatus } from './operator-commands.ts';
import { adviceOn } from './ownership/context-ownership.ts';
import { type RegistryState, rejected } from './registry-state.ts';
import type { WrongRoute } from './workers/sticky-findings.ts';

export function tick(state: RegistryState): void {
  const due: NodeRecord[] = [];
  // No node is forgotten before the last loop below, so every due id has its record.
  for (const id of state.deadlines.takeDue(state.nowMs)) due.push(state.nodes.get(id)!);
  // Suspicion first, for all of them. A late tick also finds ended leases, and their effect depends on which nodes are live.
  for (const node of due) suspectIfSilent(state, node);
  const live = new LiveNodes(state);
  for (const node of due) passDeadlines(state, node, live);
  for (const worker of state.workers.dropLeft(state.nowMs)) state.forgetWorker(worker);
  if (state.learning.pass(state.nowMs)) state.tellSettled();
  if (!state.isSettled && state.nowMs >= state.settlesAtMs) {
    state.isSettled = true;
    state.tellSettled();
  }
  for (const { node, command } of releasedStatuses(state)) applyNodeStatus(state, node, command);
  for (const node of [...state.draining]) state.judgeDrains(node);
  state.forgetEmptyBalancers();
  state.remembered.expire(state.nowMs);
  state.endedDrains.expire(state.nowMs);
}

function suspectIfSilent(state: RegistryState, node: NodeRecord): void {
  if (node.liveness !== 'up' || node.kind !== 'agent' || state.isReported(node)) return;
  if (!isOver({ renewedAtMs: node.heardAtMs, durationMs: state.suspectMsOf(node) }, state.nowMs)) return;
  state.markSuspect(node, 'silent');
  if (node.suspectMs !== undefined) disconnect(state, { type: 'disconnect', id: node.id, connection: node.connection });
}

function passDeadlines(state: RegistryState, node: NodeRecord, live: LiveNodes): void {
  // A node that was given up earlier in this tick may have filled the memory of gone nodes.
  if (state.nodes.get(node.id) !== node) return;
  const { nowMs } = state;
  const endMs = endOfRequest(node.operatorStatus);
  if (endMs !== undefined && nowMs >= endMs)
    applyOperatorStatus(state, node, noRequestedStatus(nowMs), {
      ended: endedRequest(node.operatorStatus, 'time', nowMs),
    });
  if (node.liveness === 'gone') {
    if (nowMs >= (forgetAtMs(node, state.options) ?? Number.POSITIVE_INFINITY)) state.forget(node);
  } else if (hasEnded(state, node)) state.markGone(node, 'expired');
  else if (node.livenessReason === 'blocked') endBlock(state, node);
  else if (node.liveness !== 'joining') judge(state, node, live);
  if (nowMs >= (node.returns.flapping?.heldUntilMs ?? Number.POSITIVE_INFINITY))
    state.setReturns(node, released(node.returns));
  const steadyAtMs = state.steadyAtMs(node);
  if (steadyAtMs !== undefined && nowMs >= steadyAtMs) state.setReturns(node, NO_RETURNS);
  if (state.nodes.get(node.id) === node) state.schedule(node);
}

/** A static member has answered; it is up once its contexts are free. */
function endBlock(state: RegistryState, node: NodeRecord): void {
  const conflict = state.contexts.conflict(node.registration);
  if (conflict === undefined) state.markUp(node);
  else state.setReason(node, 'blocked', adviceOn(conflict, node.registration.balancer));
}

/** The term of a member is over, or the lease of an agent that was never reached: no other witness decides about these. */
function hasEnded(state: RegistryState, node: NodeRecord): boolean {
  const isConcerned = node.kind === 'lease' || (node.kind === 'agent' && node.liveness === 'joining');
  return isConcerned && isOver(state.lease(node), state.nowMs);
}

export function stalled(state: RegistryState, command: StalledCommand): Rejection | undefined {
  const { stalledMs } = command;
  if (!(stalledMs >= 0 && Number.isFinite(stalledMs)))
    return rejected('bad-field', `stalledMs is ${stalledMs}, not a duration`);
  // Deadlines of drains and requested statuses are promises to operators by the wall clock: they do not move.
  for (const node of state.nodes.all()) {
    for (const key of ['heardAtMs', 'renewedAtMs', 'signAtMs'] as const)
      node[key] = shiftedByStall(node[key], stalledMs, state.nowMs);
    if (node.heldUntilMs !== undefined) node.heldUntilMs = shiftedByStall(node.heldUntilMs, stalledMs, state.nowMs);
  }
  state.learning.shift(stalledMs);
  state.workers.shift(stalledMs, state.nowMs);
  if (!state.isSettled) state.settlesAtMs += stalledMs;
  return undefined;
}

/**
 * Any agent without a connection may be one of the waiting agents: its lease is paused, as far as held-time.ts allows.
 */
export function agentsHeld(state: RegistryState, { heldMs }: AgentsHeldCommand): Rejection | undefined {
  if (!(heldMs >= 0 && Number.isFinite(heldMs))) return rejected('bad-field', `heldMs is ${heldMs}, not a duration`);
  const ms = state.held.take(heldMs, state.nowMs);
  if (ms === 0) return undefined;
  for (const node of state.nodes.all())
    if (node.kind === 'agent' && !node.isConnected && node.liveness !== 'gone')
      node.signAtMs = shiftedByStall(node.signAtMs, ms, state.nowMs);
  state.learning.shift(ms);
  if (!state.isSettled) state.settlesAtMs += ms;
  return undefined;
}

export function sessionsSeen(state: RegistryState, { worker, nodes }: SessionsSeenCommand): Rejection | undefined {
  if (!state.workers.has(worker)) return rejected('not-registered', `worker ${worker} has not joined`);
  for (const sample of nodes) {
    const node = state.nodes.get(sample.id);
    if (node === undefined) continue;
    const { sessionIdleMs } = state.balancer(node.registration.balancer);
    state.workers.mergeSessions(worker, node.id, sample, sessionIdleMs, state.nowMs);
  }
  return undefined;
}

function wrongRoute(
  state: RegistryState,
  balancer: BalancerName,
  { node, route }: StickySample['writes'][number],
): WrongRoute | undefined {
  const known = state.nodes.get(node);
  if (known === undefined || known.liveness === 'gone' || known.registration.route === route) return undefined;
  const holder = state.routes.holder(balancer, route);
  const isThere = holder !== undefined && state.nodes.get(holder)?.liveness !== 'gone';
  return { node, writes: route, registered: known.registration.route, owner: isThere ? holder : undefined };
}

export function stickySeen(state: RegistryState, command: StickySeenCommand): Rejection | undefined {
  const { worker, revision, balancers } = command;
  if (!state.workers.has(worker)) return rejected('not-registered', `worker ${worker} has not joined`);
  for (const sample of balancers) {
    if (!state.balancers.has(sample.balancer)) continue;
    const news = state.sticky.take(worker, revision, sample, (write) => wrongRoute(state, sample.balancer, write));
    for (const { isOn, finding } of news) state.emit({ type: 'sticky', isOn, finding });
  }
  return undefined;
}

export function observe(state: RegistryState, command: ObserveCommand): Rejection | undefined {
  const { worker, revision, nodes, failovers = [] } = command;
  const known = nodes.filter(({ id }) => state.nodes.get(id) !== undefined);
  const outcomes = state.workers.observe(worker, revision, state.journal.revision, known, state.nowMs);
  if (outcomes === undefined) return rejected('not-registered', `worker ${worker} has not joined`);
  state.failovers.add(worker, failovers);
  for (const [i, { id }] of known.entries()) {
    const { balancer } = state.nodes.get(id)!.registration;
    state.traffic.add(worker, balancer, id, outcomes[i]!.requests, state.nowMs);
    state.outcomes.add(id, outcomes[i]!, state.nowMs);
  }
  for (const node of [...state.draining]) state.judgeDrains(node);
  return undefined;
}
