/** What a node, its connection or a probe of it says. Only the connection that speaks for the node is listened to. */
import type { ContextPath, Status } from '@rollcall/protocol';
import type {
  ConnectionId,
  DisconnectCommand,
  HeartbeatCommand,
  LeaveCommand,
  NodeStatusCommand,
  ReachableCommand,
} from './commands.ts';
import type { Rejection } from './events.ts';
import type { NodeRecord } from './node-record.ts';
import { effectiveStatus } from './node-record.ts';
import { type RegistryState, rejected } from './registry-state.ts';

export function heartbeat(state: RegistryState, command: HeartbeatCommand): Rejection | undefined {
  const node = speaker(state, command);
  if ('type' in node) return node;
  const bad = badNumber(command);
  if (bad !== undefined) return rejected('bad-field', `${bad} is not a finite number from 0`);
  node.heardAtMs = state.nowMs;
  if (node.liveness === 'suspect' && node.livenessReason === 'silent') state.markUp(node);
  const { seq } = command;
  if (seq !== undefined && seq <= node.seq) return undefined;
  if (seq !== undefined) node.seq = seq;
  if (takeNumbers(node, command, state.nowMs)) {
    state.emit({ type: 'load', id: node.id });
    if (state.draining.has(node)) state.judgeDrains(node);
  }
  return undefined;
}

function badNumber(command: HeartbeatCommand): string | undefined {
  const { seq, load, sessions, inFlight, serviceMs, metrics } = command;
  const numbers = { seq, load, sessions, inFlight, serviceMs, ...metrics };
  for (const [name, value] of Object.entries(numbers))
    if (value !== undefined && !(value >= 0 && Number.isFinite(value))) return name;
  return undefined;
}

/** Returns whether any number was told. */
function takeNumbers(node: NodeRecord, command: HeartbeatCommand, nowMs: number): boolean {
  const { load, sessions, inFlight, serviceMs, metrics, values, scales } = command;
  if (load !== undefined) node.load = Math.min(1, load);
  if (sessions !== undefined) node.sessions = sessions;
  if (inFlight !== undefined) node.inFlight = inFlight;
  if (serviceMs !== undefined) node.serviceMs = serviceMs;
  if (metrics !== undefined) node.metrics = metrics;
  if (values !== undefined) node.values = values;
  if (scales !== undefined) node.scales = scales;
  node.history.add(load === undefined ? undefined : node.load, metrics, nowMs);
  const isTold = [load, sessions, inFlight, serviceMs, metrics].some((value) => value !== undefined);
  if (isTold) node.toldAtMs = nowMs;
  return isTold;
}

export function nodeStatus(state: RegistryState, command: NodeStatusCommand): Rejection | undefined {
  const node = speaker(state, command);
  if ('type' in node) return node;
  const { status, reason, contexts, deadlineMs } = command;
  const known = new Set(node.registration.contexts.map(({ path }) => path));
  const stranger = contexts?.find((path) => !known.has(path));
  if (stranger !== undefined)
    return rejected('bad-field', `contexts names ${stranger}, which node ${node.id} does not serve`);
  if (deadlineMs !== undefined && !(deadlineMs >= 0 && Number.isFinite(deadlineMs)))
    return rejected('bad-field', `deadlineMs is ${deadlineMs}, not a duration`);
  const isPart = contexts !== undefined && new Set(contexts).size < known.size;
  const deadlineAtMs = deadlineMs === undefined ? undefined : state.nowMs + deadlineMs;
  const wish = { status, reason, by: undefined, atMs: state.nowMs, deadlineAtMs, untilMs: undefined };
  if (isPart) {
    node.contextStatus = withContexts(node.contextStatus, contexts, status);
  } else {
    node.nodeWish = wish;
    node.contextStatus = new Map();
  }
  state.touchFeed(node);
  if (status === 'enabled') {
    node.nodeDrain = undefined;
    if (node.operatorDrain?.isDone ?? true) state.draining.delete(node);
  } else {
    // Part of the node is done at the latest when the whole of it is unused.
    state.beginNodeDrain(node, wish);
  }
  state.schedule(node);
  state.emit({
    type: 'status',
    id: node.id,
    side: 'node',
    status,
    effective: effectiveStatus(node),
    ...(reason !== undefined && { reason }),
    ...(deadlineMs !== undefined && { deadlineMs }),
  });
  return undefined;
}

function withContexts(
  current: ReadonlyMap<ContextPath, Status>,
  contexts: readonly ContextPath[],
  status: Status,
): ReadonlyMap<ContextPath, Status> {
  const next = new Map(current);
  for (const path of contexts)
    if (status === 'enabled') next.delete(path);
    else next.set(path, status);
  return next;
}

export function leave(state: RegistryState, command: LeaveCommand): Rejection | undefined {
  const node = speaker(state, command);
  if ('type' in node) return node;
  state.markGone(node, 'left');
  return undefined;
}

export function disconnect(state: RegistryState, command: DisconnectCommand): void {
  const node = state.nodes.get(command.id);
  if (!node?.isConnected || node.connection !== command.connection) return;
  node.isConnected = false;
  if (node.liveness === 'up') state.markSuspect(node, 'disconnected');
  // A silent node stays silent: that its dead socket is closed at last is no word from it.
  else if (node.liveness === 'suspect' && node.livenessReason !== 'silent') node.livenessReason = 'disconnected';
}

export function reachable(state: RegistryState, command: ReachableCommand): void {
  const node = state.nodes.get(command.id);
  if (!node || node.liveness === 'gone' || node.connection !== command.connection) return;
  // An agent that has been reached once is judged by its heartbeats and by the workers.
  if (node.kind === 'agent' && !node.awaitsProbe) return;
  if (command.isReachable) isReached(state, node);
  else isNotReached(state, node, command.detail ?? 'no answer');
}

function isReached(state: RegistryState, node: NodeRecord): void {
  node.awaitsProbe = false;
  const isUnheard = node.livenessReason === 'silent' || node.livenessReason === 'disconnected';
  if (!isUnheard) state.markUp(node);
  // The node was lost while it was being probed.
  if (node.kind === 'agent' && !node.isConnected && node.liveness === 'up') state.markSuspect(node, 'disconnected');
}

/** The first bad result is told; repeats change nothing. */
function isNotReached(state: RegistryState, node: NodeRecord, detail: string): void {
  node.livenessDetail = detail;
  if (node.livenessReason === 'unreachable') return;
  if (node.liveness === 'up') {
    node.awaitsProbe = true;
    state.markSuspect(node, 'unreachable');
    return;
  }
  if (node.livenessReason !== 'unprobed' && node.livenessReason !== 'restarted') return;
  node.livenessReason = 'unreachable';
  state.emit({ type: 'unreachable', id: node.id, detail });
}

/** The node when `connection` speaks for it. */
function speaker(
  state: RegistryState,
  { id, connection }: { readonly id: NodeRecord['id']; readonly connection: ConnectionId },
): NodeRecord | Rejection {
  const node = state.nodes.get(id);
  if (!node || node.liveness === 'gone') return rejected('not-registered', `node ${id} is not registered`);
  const isCurrent = node.connection === connection && (node.isConnected || node.kind !== 'agent');
  return isCurrent ? node : rejected('superseded', `another connection speaks for node ${id}`);
}
