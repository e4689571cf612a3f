/** Messages of a node, events of its connection, and results of its probes. Only the present connection of a node counts. */
import type { ContextPath, Status } from '@rollcall/protocol';
import { contextKey, hostedContexts } from '../contexts/hosted-context.ts';
import type {
  AddressRefusedCommand,
  ConnectionId,
  DisconnectCommand,
  HeartbeatCommand,
  LeaveCommand,
  NodeStatusCommand,
  ReachableCommand,
} from './commands.ts';
import type { Rejection } from './events.ts';
import { takeFailing } from './failing-copies.ts';
import { holdStatus } from './held-status.ts';
import { judge } from './liveness/witnesses.ts';
import type { NodeRecord } from './node/node-record.ts';
import { effectiveStatus, noRequestedStatus } from './node/node-record.ts';
import { claimAddress } from './ownership/address-claim.ts';
import { adviceOn } from './ownership/context-ownership.ts';
import { setReady } from './readiness.ts';
import { hasEndedElsewhere } from './records/shared-nodes.ts';
import { type RegistryState, rejected, rejectedBy } from './registry-state.ts';

export function heartbeat(state: RegistryState, command: HeartbeatCommand): Rejection | undefined {
  const node = speaker(state, command);
  if ('type' in node) return node;
  const bad = badNumber(command);
  if (bad !== undefined) return rejected('bad-field', `${bad} is not a finite number from 0`);
  node.signAtMs = state.nowMs;
  if (node.kind === 'agent') {
    node.heardAtMs = state.nowMs;
    if (node.liveness === 'suspect' && node.livenessReason === 'silent') state.markUp(node);
  }
  // A member without an agent reports numbers only.
  const { seq, ready = node.kind === 'agent' || node.isReady, readyReason, failing } = command;
  if (seq !== undefined && seq <= node.seq) return undefined;
  if (seq !== undefined) node.seq = seq;
  takeFailing(state, node, failing);
  setReserve(state, node, command.standby);
  if (node.kind === 'agent' || ready !== node.isReady) setReady(state, node, ready, ready ? undefined : readyReason);
  if (takeNumbers(node, command, state.nowMs)) {
    state.emit({ type: 'load', id: node.id });
    if (state.draining.has(node)) state.judgeDrains(node);
  }
  return undefined;
}

function setReserve(state: RegistryState, node: NodeRecord, isReserve: boolean = node.isReserve): void {
  if (isReserve === node.isReserve) return;
  node.isReserve = isReserve;
  state.touchFeed(node);
}

function badNumber(command: HeartbeatCommand): string | undefined {
  const { seq, load, sessions, inFlight, serviceMs, metrics } = command;
  const numbers = { seq, load, sessions, inFlight, serviceMs, ...metrics };
  for (const [name, value] of Object.entries(numbers))
    if (value !== undefined && !(value >= 0 && Number.isFinite(value))) return name;
  return undefined;
}

/** Returns whether the report has any number. */
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
  const { contexts, places, deadlineMs } = command;
  const known = new Set(node.registration.contexts.map(({ path }) => path));
  const served = new Set(places && Array.from(hostedContexts(node.registration), contextKey));
  const unknown =
    contexts?.find((path) => !known.has(path)) ??
    places?.filter((place) => !served.has(contextKey(place))).map(({ host, path }) => `${path} on ${host}`)[0];
  if (unknown !== undefined)
    return rejected('bad-field', `contexts names ${unknown}, which node ${node.id} does not serve`);
  if (deadlineMs !== undefined && !(deadlineMs >= 0 && Number.isFinite(deadlineMs)))
    return rejected('bad-field', `deadlineMs is ${deadlineMs}, not a duration`);
  if (!holdStatus(state, node, command)) applyNodeStatus(state, node, command);
  return undefined;
}

/** Puts the status that a node requests in force. */
export function applyNodeStatus(state: RegistryState, node: NodeRecord, command: NodeStatusCommand): void {
  const { status, reason, contexts, places, deadlineMs } = command;
  const isPart =
    contexts !== undefined && new Set(contexts).size < new Set(node.registration.contexts.map(({ path }) => path)).size;
  const deadlineAtMs = deadlineMs === undefined ? undefined : state.nowMs + deadlineMs;
  const requestedStatus = { status, reason, by: undefined, atMs: state.nowMs, deadlineAtMs, untilMs: undefined };
  const before = effectiveStatus(node);
  if (places !== undefined) {
    node.contextStatus = withStatus(node.contextStatus, places.map(contextKey), status);
  } else if (isPart) {
    node.contextStatus = withStatus(withoutHosts(node.contextStatus, contexts), contexts, status);
  } else {
    node.nodeStatus = status === 'enabled' ? noRequestedStatus(state.nowMs) : requestedStatus;
    node.contextStatus = new Map();
  }
  state.afterStop(node, before);
  state.touchFeed(node);
  if (status === 'enabled') {
    node.nodeDrain = undefined;
    if (node.operatorDrain?.isDone ?? true) state.draining.delete(node);
  } else {
    // A drain of some contexts is done at the latest when the whole node is unused.
    state.beginNodeDrain(node, requestedStatus);
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
}

function withStatus(
  current: ReadonlyMap<string, Status>,
  keys: readonly string[],
  status: Status,
): ReadonlyMap<string, Status> {
  const next = new Map(current);
  for (const key of keys)
    if (status === 'enabled') next.delete(key);
    else next.set(key, status);
  return next;
}

/** A request for a path replaces those for the path on single hosts. */
function withoutHosts(
  current: ReadonlyMap<string, Status>,
  paths: readonly ContextPath[],
): ReadonlyMap<string, Status> {
  return new Map([...current].filter(([key]) => !paths.some((path) => key.endsWith(` ${path}`))));
}

export function leave(state: RegistryState, command: LeaveCommand): Rejection | undefined {
  const node = speaker(state, command);
  if ('type' in node) return node;
  state.markGone(node, 'left', { isExpelled: command.isExpelled === true });
  return undefined;
}

export function disconnect(state: RegistryState, command: DisconnectCommand): void {
  const node = state.nodes.get(command.id);
  if (!node?.isConnected || node.connection !== command.connection) return;
  node.isConnected = false;
  state.touchFeed(node);
  state.touchReport(node);
  if (hasEndedElsewhere(state, node)) {
    state.markGone(node, 'left');
    return;
  }
  if (node.liveness === 'up') state.markSuspect(node, 'disconnected');
  // A silent node stays silent: the close of its dead socket is no sign of life.
  else if (node.liveness === 'suspect' && node.livenessReason !== 'silent') state.setReason(node, 'disconnected');
  judge(state, node);
}

export function reachable(state: RegistryState, command: ReachableCommand): void {
  const node = state.nodes.get(command.id);
  if (!node || node.liveness === 'gone' || node.connection !== command.connection) return;
  if (command.isOther) {
    refuseAddress(state, node);
    return;
  }
  if (command.probe !== undefined && command.probe !== node.probe) {
    node.probe = command.probe;
    state.touchFeed(node);
    state.touchNodeRecord(node);
  }
  // A node that has been reached once is judged by its heartbeats and by the workers. For a restored member the first answer counts.
  const isRestored = node.kind !== 'agent' && node.livenessReason === 'expected';
  if (!node.awaitsProbe && !isRestored) return;
  if (command.isReachable) isReached(state, node);
  else isNotReached(state, node, command.detail ?? 'no answer');
}

export function addressRefused(state: RegistryState, { id, message }: AddressRefusedCommand): void {
  const node = state.nodes.get(id);
  if (node) node.addressFault = { code: 'bad-address', message };
}

function isReached(state: RegistryState, node: NodeRecord): void {
  if (!claimAddress(state, node)) return;
  node.awaitsProbe = false;
  node.signAtMs = state.nowMs;
  if (node.kind !== 'agent') node.heardAtMs = state.nowMs;
  const isUnheard = node.livenessReason === 'silent' || node.livenessReason === 'disconnected';
  if (isBlocked(state, node)) return;
  if (!isUnheard) state.markUp(node);
  // The node was lost while it was being probed.
  if (node.kind === 'agent' && !node.isConnected && node.liveness === 'up' && !state.isReported(node))
    state.markSuspect(node, 'disconnected');
}

/** The node registers again with backoff. Until then its id, route, contexts and address are free for the program at the address. */
function refuseAddress(state: RegistryState, node: NodeRecord): void {
  const { id, connection, registration } = node;
  state.markGone(node, 'taken');
  state.emit({
    type: 'connection-refused',
    id,
    connection,
    code: 'wrong-program',
    message: `${registration.url} is answered by another program than the one that registers node ${id}. Announce the address where this program listens (\`run --address\`, SDK option \`url\`), or stop the other program`,
  });
}

/** A static member holds no context before its first answer, so another balancer may have taken one. The check is repeated by time. */
function isBlocked(state: RegistryState, node: NodeRecord): boolean {
  if (node.kind !== 'static' || node.liveness !== 'joining') return false;
  const conflict = state.contexts.conflict(node.registration);
  if (conflict === undefined) return false;
  const isNews = node.livenessReason !== 'blocked';
  const detail = adviceOn(conflict, node.registration.balancer);
  state.setReason(node, 'blocked', detail);
  if (isNews) state.emit({ type: 'blocked', id: node.id, detail });
  state.schedule(node);
  return true;
}

/** The first bad result is an event; repeats change nothing. */
function isNotReached(state: RegistryState, node: NodeRecord, detail: string): void {
  const isNews = node.livenessReason === 'unprobed' || node.livenessReason === 'restarted';
  state.setReason(node, isNews ? 'unreachable' : node.livenessReason, detail);
  if (!isNews) return;
  state.emit({ type: 'unreachable', id: node.id, detail });
}

/** The node when `connection` speaks for it. */
function speaker(
  state: RegistryState,
  command: { readonly id: NodeRecord['id']; readonly connection: ConnectionId; readonly isExpelled?: boolean },
): NodeRecord | Rejection {
  const { id, connection, isExpelled = false } = command;
  const node = state.nodes.get(id);
  if (!node || node.liveness === 'gone') return rejected('not-registered', `node ${id} is not registered`);
  const isCurrent = node.connection === connection && (isExpelled || node.isConnected || node.kind !== 'agent');
  if (isCurrent) return node;
  const message = `another connection speaks for node ${id}`;
  return rejectedBy({ code: 'superseded', holderConnected: state.isHeard(node), message });
}
