/** A node registers, returns or repeats its registration: all checks first, then all changes, so that a refusal changes nothing. */

import type { Fault } from '@rollcall/protocol';
import { contextKey, hostedContexts } from '../contexts/hosted-context.ts';
import { recordKey } from '../store/record-key.ts';
import { hintWarning, isSameHint } from './balancer-settings.ts';
import type { RegisterCommand } from './commands.ts';
import { isOfFirst, keepInMind } from './copies.ts';
import type { Rejection } from './events.ts';
import { feedNode } from './feed/feed-view.ts';
import { endHold } from './held-status.ts';
import { keepStart } from './node/incarnation.ts';
import { NodeHistory } from './node/load-history.ts';
import type { AcceptedRegistration, NodeRecord, NodeView } from './node/node-record.ts';
import { effectiveStatus, endedRequest, freshRecord, NOTHING_FAILING, noRequestedStatus } from './node/node-record.ts';
import { isInFeed } from './node/node-status.ts';
import { weightWarning } from './node/weight-bounds.ts';
import type { Claims } from './ownership/claims.ts';
import { judgeClaims } from './ownership/claims.ts';
import { holderText, OWN_ID } from './ownership/holder-text.ts';
import { resetReady } from './readiness.ts';
import { storable } from './records/stored-records.ts';
import { type RegistryState, rejectedBy } from './registry-state.ts';
import { hintOf } from './settings-hint.ts';

export function register(state: RegistryState, command: RegisterCommand): Rejection | undefined {
  const claims = removedElsewhere(state, command) ?? judgeClaims(state, command);
  if ('code' in claims) return rejectedBy(claims);
  accept(state, command, claims);
  return undefined;
}

/** An operator has removed this process at another coordinator. */
function removedElsewhere(state: RegistryState, { node: { id, instance } }: RegisterCommand): Fault | undefined {
  const ended = state.endedElsewhere.get(id)?.find((one) => one.instance === instance);
  if (ended?.end !== 'removed') return undefined;
  return { code: 'removed', message: `an operator has removed this process of node ${id}. A new process may register` };
}

function accept(
  state: RegistryState,
  command: RegisterCommand,
  { registration, holder, verdict, isProved, setStart }: Claims,
): void {
  const isSame = verdict === 'same';
  const isReturn = holder?.liveness === 'gone';
  const before = holder && tellable(holder);
  const storedBefore = holder && storable(holder);
  const replaced = holder?.isConnected && holder.connection !== command.connection ? holder.connection : undefined;
  // After a new registration another process may measure the node.
  const isRenewal = holder?.isConnected === true && holder.connection === command.connection;
  const isMoved = holder?.registration.url !== registration.url;
  const hasServed = holder?.isKnown === true;
  // A process that lost the id while it had no current heartbeat counts as the older one from now on, whatever its clock.
  const displaced = verdict === 'other' ? holder?.registration : undefined;
  const isNewBalancer = !state.balancers.has(registration.balancer);
  const isNewHint = takeFirst(state, command, registration, holder);
  const inForce = state.balancer(registration.balancer).inForce();
  const warning = hintWarning(hintOf(registration), inForce);
  const rival =
    verdict === 'other' && isMoved && holder && state.isHeard(holder)
      ? rivalWarning(state, holder, command)
      : undefined;
  const warnings = [warning, rival].filter((one) => one !== undefined);

  if (isNewBalancer && command.standing !== 'operator') state.makers.made(registration.balancer, command.owner);

  const node = holder ?? newRecord(state, command, registration);
  const balancerBefore = node.registration.balancer;
  const previousStatus = node.nodeStatus;
  if (holder) moveBooks(state, holder, registration);
  state.nodes.update(node, () => {
    node.owner = command.owner;
    node.reach = command.reach;
    node.standing = command.standing ?? 'token';
    node.kind = command.kind;
    node.registration = registration;
  });
  state.settleWeights();
  const clamped = weightWarning(node);
  if (state.nodes.presentIn(balancerBefore) === 0) state.noteEmpty(balancerBefore);
  if (registration.copies && isOfFirst(state, node))
    keepInMind(state, registration.balancer, registration.copies.wrapper, registration.copies.kept);
  takeRoute(state, node);
  if (command.kind !== 'static') state.addresses.enter(registration.url, node.id);
  // A static member that has never answered holds no context: a mistyped address must not keep others from serving it.
  if (command.kind !== 'static' || isInFeed(node.liveness)) state.takeContexts(node);
  if (hasServed && (!isSame || isReturn)) node.isReturning = true;
  if (setStart) node.settledStarts = keepStart(node.settledStarts, setStart);
  if (displaced && displaced.incarnation >= registration.incarnation)
    node.settledStarts = keepStart(node.settledStarts, {
      instance: displaced.instance,
      incarnation: Math.max(0, registration.incarnation - 1),
    });
  if (!isSame) startAnew(state, node);
  else if (isRenewal) forgetCounts(node);
  if (command.kind !== 'agent' && registration.readyPath === undefined) resetReady(node);
  node.leaseMs = leaseMsOf(state, command);
  node.suspectMs = command.kind === 'agent' ? command.suspectMs : undefined;
  node.connection = command.connection;
  node.isConnected = command.kind === 'agent' && !command.isReported;
  node.seq = -1;
  node.signAtMs = state.nowMs;
  node.renewedAtMs = state.nowMs;
  if (command.kind === 'agent' || !isSame || isMoved || isReturn) node.heardAtMs = state.nowMs;
  if (!isProved && (!isSame || isMoved)) {
    node.probe = 'options';
    state.ports.forgetNode(node.id);
  }
  node.awaitsProbe = !isProved;
  node.settingsFault = warning;
  node.addressFault = undefined;
  const known = new Set<string>();
  for (const context of hostedContexts(registration)) known.add(context.path).add(contextKey(context));
  node.contextStatus = new Map([...node.contextStatus].filter(([key]) => known.has(key)));

  state.emit({
    type: 'registered',
    id: node.id,
    connection: command.connection,
    isNew: holder === undefined,
    isReturn: isReturn || holder?.livenessReason === 'expected',
    needsProbe: node.awaitsProbe,
    warnings: clamped === undefined ? warnings : [...warnings, clamped],
  });
  if (replaced !== undefined) refuseConnection(state, node, replaced, isSame);
  if (isNewBalancer || isNewHint) {
    state.tellBalancer(registration.balancer);
    if (isNewHint) state.dirtyRecords.add(recordKey.balancer(registration.balancer));
  }
  if (previousStatus.status !== node.nodeStatus.status)
    state.emit({
      type: 'status',
      id: node.id,
      side: 'node',
      status: 'enabled',
      effective: effectiveStatus(node),
      ended: endedRequest(previousStatus, 'process', state.nowMs),
    });
  if (node.liveness === 'gone' && node.awaitsProbe) state.markJoining(node);
  else if (node.liveness === 'up' && node.awaitsProbe) state.markSuspect(node, 'restarted');
  // A process has taken over the id of a static member.
  else if (node.liveness === 'down' && node.kind !== 'static') state.markSuspect(node, 'restarted');
  // A member without an agent counts as current while it answers, not while its registration is repeated.
  else if (!node.awaitsProbe) {
    if (command.kind === 'agent' && !command.isReported) state.markUp(node);
  }
  // A renewal does not repeat the warning about an unreachable address; a new connection has not received it yet.
  else if (command.kind === 'agent' || !isSame || isMoved) state.setReason(node, unprobedReason(node));
  state.touchSharedNode(node);
  if (tellable(node) !== before) state.touchFeed(node);
  // Renewals and agents that are back after a restart of the coordinator repeat what the store has.
  if (storable(node) !== storedBefore) {
    state.touchNodeRecord(node);
    if (node.liveness === 'joining') state.journal.joining();
  }
  state.schedule(node);
}

/** Two processes run at the same time with one id: the later one has it, and each of them is informed about the other. */
function rivalWarning(state: RegistryState, holder: NodeView, command: RegisterCommand): Fault {
  const message = `this process has taken its id over from one that still runs: ${holderText(state, holder, command)}. ${OWN_ID}`;
  return { code: 'superseded', message };
}

function unprobedReason(node: NodeView): 'restarted' | 'unprobed' {
  return node.liveness === 'joining' ? 'unprobed' : 'restarted';
}

/** The node in the form of the feed, without the numbers that have messages of their own. */
function tellable(node: NodeView): string {
  return JSON.stringify(feedNode({ ...node, load: undefined, sessions: undefined }, 0) ?? null);
}

/** Resets the values that the earlier process of the node reported. */
function startAnew(state: RegistryState, node: NodeRecord): void {
  node.registeredAtMs = state.nowMs;
  if (isInFeed(node.liveness)) node.inFeedSinceMs = state.nowMs;
  node.nodeStatus = noRequestedStatus(state.nowMs);
  node.nodeDrain = undefined;
  endHold(state, node);
  if (node.operatorDrain?.isDone ?? true) state.draining.delete(node);
  node.contextStatus = new Map();
  node.load = undefined;
  node.isReserve = false;
  state.workers.forgetSessions(node.id);
  forgetCounts(node);
  node.metrics = {};
  node.values = {};
  node.scales = {};
  node.history = new NodeHistory();
  state.outcomes.reset(node.id);
  node.toldAtMs = undefined;
  resetReady(node);
  Object.assign(node, NOTHING_FAILING);
}

/** Values that a heartbeat need not repeat, and that a node need not report: without a reset the last report would stay. */
function forgetCounts(node: NodeRecord): void {
  node.sessions = undefined;
  node.inFlight = undefined;
  node.serviceMs = undefined;
}

/** Releases the names of the earlier registration. A released route is unknown at once. */
function moveBooks(state: RegistryState, node: NodeRecord, next: AcceptedRegistration): void {
  const { balancer, route, url } = node.registration;
  state.releaseContexts(node, isInFeed(node.liveness));
  state.addresses.leave(url, node.id);
  if (balancer === next.balancer && route === next.route) return;
  state.routes.release(balancer, route, node.id);
  if (!node.isKnown) return;
  state.journal.route({ balancer, route });
  node.isKnown = isInFeed(node.liveness);
}

/**
 * Sessions that name the route of a gone node belong to the node that takes the route. Until that node is in the feed, workers keep the
 * route as that of a gone node.
 */
function takeRoute(state: RegistryState, node: NodeRecord): void {
  const { balancer, route } = node.registration;
  const earlier = state.routeHolder(balancer, route);
  state.routes.take(balancer, route, node.id);
  if (earlier === undefined || earlier === node || !earlier.isKnown) return;
  earlier.isKnown = false;
  node.isKnown = true;
  state.touchNodeRecord(earlier);
}

function refuseConnection(state: RegistryState, node: NodeView, connection: number, isSame: boolean): void {
  const message = isSame
    ? `a newer connection of this process speaks for node ${node.id}`
    : `another process speaks for ${holderText(state, node, node)}. ${OWN_ID}`;
  state.emit({
    type: 'connection-refused',
    id: node.id,
    connection,
    code: 'superseded',
    holderConnected: state.isHeard(node),
    message,
  });
}

function newRecord(state: RegistryState, command: RegisterCommand, registration: AcceptedRegistration): NodeRecord {
  const { owner, reach, kind, connection, standing = 'token' } = command;
  const index = state.nodes.nextIndex();
  const leaseMs = leaseMsOf(state, command);
  const seed = { index, owner, reach, standing, kind, leaseMs, registration, connection } as const;
  const node = freshRecord({ ...seed, liveness: 'joining', livenessReason: 'unprobed' }, state.nowMs);
  state.nodes.add(node);
  return node;
}

function leaseMsOf(state: RegistryState, { kind, leaseMs }: RegisterCommand): number {
  return kind === 'static' ? state.options.leaseMs : (leaseMs ?? state.options.leaseMs);
}

/**
 * The first node of a balancer decides its settings, with or without a hint, for as long as the balancer has nodes. Its token keeps the
 * copies of the program. Returns whether the hint in force has changed.
 */
function takeFirst(
  state: RegistryState,
  { owner }: RegisterCommand,
  registration: AcceptedRegistration,
  holder: NodeView | undefined,
): boolean {
  const { id, balancer: name } = registration;
  const isIn = holder !== undefined && holder.liveness !== 'gone' && holder.registration.balancer === name;
  if (state.nodes.presentIn(name) > Number(isIn)) return false;
  const balancer = state.balancer(name);
  const { hint } = balancer;
  balancer.owner = owner;
  const proposed = hintOf(registration);
  if (proposed === undefined && hint === undefined) return false;
  if (hint?.from === id && proposed !== undefined && isSameHint(proposed, hint)) return false;
  balancer.hint = proposed && { from: id, ...proposed };
  return true;
}
