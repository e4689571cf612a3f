/** A node enters, returns or re-states itself: all checks first, then all changes, so that a refusal changes nothing. */
import type { BalancerName, Fault, NodeRegistration } from '@rollcall/protocol';
import type { BalancerSettings } from './balancer-settings.ts';
import { hintWarning, isSameHint } from './balancer-settings.ts';
import type { RegisterCommand } from './commands.ts';
import { adviceOn } from './context-ownership.ts';
import { keepInMind } from './copies.ts';
import type { Rejection } from './events.ts';
import { feedNode } from './feed-view.ts';
import type { Verdict } from './identity.ts';
import { judgeNewcomer } from './identity.ts';
import { NodeHistory } from './load-history.ts';
import type { AcceptedRegistration, NodeRecord, NodeView } from './node-record.ts';
import { effectiveStatus, freshRecord, noWish } from './node-record.ts';
import { isInFeed } from './node-status.ts';
import { type RegistryState, rejected } from './registry-state.ts';

const MAX_LEASE_MS = 86_400_000;

export function register(state: RegistryState, command: RegisterCommand): Rejection | undefined {
  const registration = withoutRepeats(command.node);
  const holder = state.nodes.get(registration.id);
  const verdict = holder && judgeHolder(holder, command);
  if (typeof verdict === 'object') return rejected(verdict.code, verdict.message);
  const refusal = refuse(state, command, registration, holder);
  if (refusal) return rejected(refusal.code, refusal.message);
  accept(state, command, registration, holder, verdict);
  return undefined;
}

function judgeHolder(holder: NodeView, command: RegisterCommand): Verdict | Fault {
  const { instance, incarnation } = holder.registration;
  const { id, owner, kind, connection, liveness, isConnected } = holder;
  const isRemoved = liveness === 'gone' && holder.goneCause === 'removed';
  return judgeNewcomer(
    { id, owner, kind, connection, instance, incarnation, liveness, isConnected, isRemoved },
    {
      owner: command.owner,
      kind: command.kind,
      connection: command.connection,
      instance: command.node.instance,
      incarnation: command.node.incarnation,
    },
  );
}

/** Everything that speaks against the registration, except the identity of the process. */
function refuse(
  state: RegistryState,
  command: RegisterCommand,
  registration: AcceptedRegistration,
  holder: NodeView | undefined,
): Fault | undefined {
  const { options } = state;
  const { balancer, route, weight, incarnation } = registration;
  if (!(weight > 0 && weight <= 100)) return { code: 'bad-field', message: `weight is ${weight}, not within 0 to 100` };
  if (!(incarnation >= 0 && incarnation <= Number.MAX_SAFE_INTEGER))
    return { code: 'bad-field', message: `incarnation is ${incarnation}, not a time in Unix milliseconds` };
  const leaseMs = command.leaseMs ?? options.leaseMs;
  if (!(leaseMs > 0 && leaseMs <= MAX_LEASE_MS))
    return { code: 'bad-field', message: `leaseMs is ${leaseMs}, not within 0 to ${MAX_LEASE_MS}` };
  if (holder === undefined || holder.liveness === 'gone') {
    if (state.nodes.present >= options.maxNodes)
      return { code: 'too-many-nodes', message: `the coordinator holds ${options.maxNodes} nodes, as many as it may` };
    if (state.nodes.presentOf(command.owner) >= options.maxNodesPerOwner)
      return {
        code: 'too-many-nodes',
        message: `this token holds ${options.maxNodesPerOwner} nodes, as many as it may`,
      };
  }
  if (!state.balancers.has(balancer) && state.balancers.size >= options.maxBalancers)
    return {
      code: 'too-many-nodes',
      message: `the coordinator knows ${options.maxBalancers} balancers, as many as it may`,
    };
  const routeHolder = state.routes.holder(balancer, route);
  if (routeHolder !== undefined && routeHolder !== registration.id) {
    const isGone = state.nodes.get(routeHolder)?.liveness === 'gone';
    const advice = isGone
      ? `, which is gone, but its sessions are remembered: use another --route, or give it free with  rollcall remove ${routeHolder}`
      : ': give each node a --route of its own, or none and it gets its id';
    return {
      code: 'route-taken',
      message: `route ${route} of balancer ${balancer} belongs to node ${routeHolder}${advice}`,
    };
  }
  const conflict = state.contexts.conflict(registration);
  if (conflict) return { code: 'context-taken', message: adviceOn(conflict, balancer) };
  return undefined;
}

function accept(
  state: RegistryState,
  command: RegisterCommand,
  registration: AcceptedRegistration,
  holder: NodeRecord | undefined,
  verdict: Verdict | undefined,
): void {
  const isSame = verdict === 'same';
  const isReturn = holder?.liveness === 'gone';
  const before = holder && tellable(holder);
  const replaced = holder?.isConnected && holder.connection !== command.connection ? holder.connection : undefined;
  const isMoved = holder?.registration.url !== registration.url;
  const isProved = isSame && !isMoved && holder?.awaitsProbe === false;
  const isNewBalancer = !state.balancers.has(registration.balancer);
  const isNewHint = takeHint(state, state.balancer(registration.balancer), registration);
  const inForce = state.balancer(registration.balancer).inForce();
  const warning = hintWarning(registration.sticky, inForce);
  const warnings = warning ? [warning] : [];

  const node = holder ?? newRecord(state, command, registration);
  const previousStatus = node.nodeWish.status;
  if (holder) moveBooks(state, holder, registration);
  state.nodes.update(node, () => {
    node.owner = command.owner;
    node.kind = command.kind;
    node.registration = registration;
  });
  if (registration.copies)
    keepInMind(state, registration.balancer, registration.copies.wrapper, registration.copies.kept);
  state.routes.take(registration.balancer, registration.route, node.id);
  state.contexts.take(registration);
  if (!isSame) startAnew(state, node);
  node.leaseMs = leaseMsOf(state, command);
  node.connection = command.connection;
  node.isConnected = command.kind === 'agent';
  node.seq = -1;
  node.heardAtMs = state.nowMs;
  node.awaitsProbe = !isProved;
  node.warnings = warnings;
  const known = new Set(registration.contexts.map(({ path }) => path));
  node.contextStatus = new Map([...node.contextStatus].filter(([path]) => known.has(path)));

  state.emit({
    type: 'registered',
    id: node.id,
    connection: command.connection,
    isNew: holder === undefined,
    isReturn,
    needsProbe: node.awaitsProbe,
    warnings,
  });
  if (replaced !== undefined) refuseConnection(state, node, replaced, isSame);
  if (isNewBalancer || isNewHint) {
    state.tellBalancer(registration.balancer);
    if (isNewHint) state.dirtyRecords.add(`balancer/${registration.balancer}`);
  }
  if (previousStatus !== node.nodeWish.status)
    state.emit({ type: 'status', id: node.id, side: 'node', status: 'enabled', effective: effectiveStatus(node) });
  state.preservation.isHeard(node.id);
  if (node.liveness === 'gone' && node.awaitsProbe) state.markJoining(node);
  else if (node.liveness === 'up' && node.awaitsProbe) state.markSuspect(node, 'restarted');
  else if (!node.awaitsProbe) state.markUp(node);
  // A renewal is no news about an address that cannot be reached; a new connection has yet to be told.
  else if (command.kind === 'agent' || !isSame || isMoved) node.livenessReason = unprobedReason(node);
  if (tellable(node) !== before) state.touchFeed(node);
  state.touchNodeRecord(node);
  state.schedule(node);
}

function unprobedReason(node: NodeView): 'restarted' | 'unprobed' {
  return node.liveness === 'suspect' ? 'restarted' : 'unprobed';
}

/** What the feed says of it, without the numbers that have messages of their own. */
function tellable(node: NodeView): string {
  return JSON.stringify(feedNode({ ...node, load: undefined, sessions: undefined }, 0) ?? null);
}

/** Another process: what the earlier one said of itself no longer holds. */
function startAnew(state: RegistryState, node: NodeRecord): void {
  node.registeredAtMs = state.nowMs;
  if (isInFeed(node.liveness)) node.inFeedSinceMs = state.nowMs;
  node.nodeWish = noWish(state.nowMs);
  node.nodeDrain = undefined;
  if (node.operatorDrain?.isDone ?? true) state.draining.delete(node);
  node.contextStatus = new Map();
  node.load = undefined;
  node.sessions = undefined;
  state.workers.forgetSessions(node.id);
  node.inFlight = undefined;
  node.serviceMs = undefined;
  node.metrics = {};
  node.values = {};
  node.scales = {};
  node.history = new NodeHistory();
  node.toldAtMs = undefined;
}

/** Gives up what the earlier registration held. A route that is given up is unknown at once. */
function moveBooks(state: RegistryState, node: NodeRecord, next: AcceptedRegistration): void {
  const { balancer, route } = node.registration;
  state.contexts.release(node.registration);
  if (balancer === next.balancer && route === next.route) return;
  state.routes.release(balancer, route, node.id);
  if (!node.isKnown) return;
  state.journal.route({ balancer, route });
  node.isKnown = isInFeed(node.liveness);
}

function refuseConnection(state: RegistryState, node: NodeView, connection: number, isSame: boolean): void {
  const who = isSame ? 'a newer connection of this process' : 'a newer process';
  state.emit({
    type: 'connection-refused',
    id: node.id,
    connection,
    code: 'superseded',
    message: `${who} speaks for node ${node.id}`,
  });
}

function newRecord(state: RegistryState, command: RegisterCommand, registration: AcceptedRegistration): NodeRecord {
  const { owner, kind, connection } = command;
  const index = state.nodes.nextIndex();
  const leaseMs = leaseMsOf(state, command);
  const seed = { index, owner, kind, leaseMs, registration, connection } as const;
  const node = freshRecord({ ...seed, liveness: 'joining', livenessReason: 'unprobed' }, state.nowMs);
  state.nodes.add(node);
  return node;
}

function leaseMsOf(state: RegistryState, { kind, leaseMs }: RegisterCommand): number {
  if (kind === 'static') return Number.POSITIVE_INFINITY;
  return kind === 'lease' ? (leaseMs ?? state.options.leaseMs) : state.options.leaseMs;
}

/**
 * The first node that hints decides for its balancer, until it is gone and no node that hints the same is present.
 * Returns whether the hint in force has changed.
 */
function takeHint(state: RegistryState, balancer: BalancerSettings, registration: NodeRegistration): boolean {
  const { hint } = balancer;
  const { id, sticky } = registration;
  if (hint !== undefined && hint.from !== id) {
    if (sticky === undefined || isPresent(balancer.name, state.nodes.get(hint.from))) return false;
    for (const node of state.nodes.inBalancer(balancer.name))
      if (isPresent(balancer.name, node) && isSameHint(node.registration.sticky, hint.sticky)) {
        balancer.hint = { from: node.id, sticky: hint.sticky };
        return true;
      }
  }
  if (sticky === undefined && hint === undefined) return false;
  if (hint?.from === id && sticky !== undefined && isSameHint(sticky, hint.sticky)) return false;
  balancer.hint = sticky === undefined ? undefined : { from: id, sticky };
  return true;
}

function isPresent(balancer: BalancerName, node: NodeView | undefined): boolean {
  if (node === undefined || node.registration.balancer !== balancer) return false;
  return node.liveness !== 'gone' || node.expectedUntilMs !== undefined;
}

function withoutRepeats(node: AcceptedRegistration): AcceptedRegistration {
  const paths = new Set(node.contexts.map(({ path }) => path));
  return { ...node, contexts: [...paths].map((path) => ({ path })), hosts: [...new Set(node.hosts)] };
}
