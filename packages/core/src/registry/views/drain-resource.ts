/** Drains for operators: the progress of one, and the drains of all nodes. */
import type { DrainProgress, DrainResource, NodeId } from '@rollcall/protocol';
import type { Drain, Usage } from '../node/drain.ts';
import type { EndedDrain } from '../node/ended-drains.ts';
import type { NodeView } from '../node/node-record.ts';
import type { RegistryState } from '../registry-state.ts';
import { type Now, toUnixMs } from './now.ts';

/** Time after which the workers have counted the use of a draining node for a minute, milliseconds. */
const USE_KNOWN_MS = 60_000;

export function drainProgress(state: RegistryState, node: NodeView, drain: Drain, now: Now): DrainProgress {
  const usage = state.drainUsage(node, drain);
  const oldestMs = state.workers.oldestSessionMs(node.id, now.nowMs);
  return {
    sinceUnixMs: toUnixMs(drain.sinceMs, now),
    sessionsLeft: usage.sessions,
    sessionsSeenOnce: usage.sessionsSeenOnce,
    ...(oldestMs !== undefined && { oldestSessionMs: Math.round(oldestMs) }),
    ...expected(state, node.id, drain, usage, now),
    inFlight: usage.inFlight,
    tunnels: usage.tunnels,
    isDone: drain.isDone,
    waitingFor: drain.isDone ? drain.unknownAt : usage.waitingFor,
  };
}

/** Use within the last minute and estimated end, as far as they are known. */
function expected(
  state: RegistryState,
  id: NodeId,
  drain: Drain,
  { sessions }: Usage,
  now: Now,
): Pick<DrainProgress, 'usedInLastMinute' | 'emptyAtUnixMs'> {
  const isKnown = drain.status === 'draining' && now.nowMs - drain.sinceMs >= USE_KNOWN_MS;
  const used = isKnown ? state.workers.usedInLastMinute(id) : undefined;
  const emptyAtMs = drain.isDone ? undefined : drain.curve.emptyAtMs(now.nowMs, sessions);
  return {
    ...(used !== undefined && { usedInLastMinute: used }),
    ...(emptyAtMs !== undefined && { emptyAtUnixMs: toUnixMs(emptyAtMs, now) }),
  };
}

/** The drain of a node that is in progress, or else the last one that has ended within an hour. */
export function drainResource(state: RegistryState, id: NodeId, now: Now): DrainResource | undefined {
  const node = state.nodes.get(id);
  const present = node && presentDrain(node);
  if (node !== undefined && present !== undefined) return inProgress(state, node, present, now);
  const ended = state.endedDrains.get(id);
  return ended && endedResource(ended, now);
}

/** Nodes with a drain in progress, or one that has ended within an hour; in ascending order. */
export function drainingNodes(state: RegistryState): NodeId[] {
  const ids = new Set<NodeId>();
  for (const node of state.nodes.all()) if (presentDrain(node) !== undefined) ids.add(node.id);
  for (const { id } of state.endedDrains.all()) ids.add(id);
  return [...ids].sort();
}

/** The drain that the operator or the node itself requests at present; its end may be over. */
function presentDrain({ liveness, operatorDrain, nodeDrain }: NodeView): Drain | undefined {
  if (liveness === 'gone') return undefined;
  return [operatorDrain, nodeDrain].find((drain) => drain?.status === 'draining' && drain.isWhole);
}

function inProgress(state: RegistryState, node: NodeView, drain: Drain, now: Now): DrainResource {
  const { by, reason } = drain;
  const { isDone: _, oldestSessionMs, waitingFor, ...progress } = drainProgress(state, node, drain, now);
  return {
    node: node.id,
    balancer: node.registration.balancer,
    ...(by !== undefined && { by }),
    ...(reason !== undefined && { reason }),
    ...progress,
    ...(drain.deadlineAtMs !== undefined && { deadlineUnixMs: toUnixMs(drain.deadlineAtMs, now) }),
    ...(oldestSessionMs !== undefined && { oldestMs: oldestSessionMs }),
    ...(waitingFor.length > 0 && { waitingFor }),
    ...(drain.end && { outcome: drain.end.outcome, endedAtUnixMs: toUnixMs(drain.end.atMs, now) }),
  };
}

function endedResource(drain: EndedDrain, now: Now): DrainResource {
  const { id, balancer, by, reason, sinceMs, deadlineAtMs, outcome, endedAtMs, usage } = drain;
  return {
    node: id,
    balancer,
    ...(by !== undefined && { by }),
    ...(reason !== undefined && { reason }),
    sinceUnixMs: toUnixMs(sinceMs, now),
    ...(deadlineAtMs !== undefined && { deadlineUnixMs: toUnixMs(deadlineAtMs, now) }),
    sessionsLeft: outcome === 'killed' ? 0 : usage.sessions,
    sessionsSeenOnce: usage.sessionsSeenOnce,
    inFlight: usage.inFlight,
    tunnels: usage.tunnels,
    ...(usage.waitingFor.length > 0 && { waitingFor: usage.waitingFor }),
    outcome,
    endedAtUnixMs: toUnixMs(endedAtMs, now),
    ...(outcome === 'killed' && { sessionsLost: usage.sessions }),
  };
}
