/**
 * Restores the registry from the records of the store after a start. Nodes that were in the feed are suspect from the start, with a full
 * lease. They keep their sessions as long as workers reach them, also when their agents need time to reconnect. Nodes that had not been
 * reached yet are joining.
 */
import type { BalancerName, GoneCause, NodeId } from '@rollcall/protocol';
import { parseBalancerName } from '@rollcall/protocol';
import type { HostedContext, RememberedContext } from '../../contexts/hosted-context.ts';
import { recordKey } from '../../store/record-key.ts';
import type { StoredRecord } from '../../store/store.ts';
import { hintWarning } from '../balancer-settings.ts';
import type { RestoreCommand } from '../commands.ts';
import type { NodeRecord } from '../node/node-record.ts';
import { freshRecord } from '../node/node-record.ts';
import { isInFeed } from '../node/node-status.ts';
import type { RegistryState } from '../registry-state.ts';
import { hintOf } from '../settings-hint.ts';
import {
  readStoredBalancer,
  readStoredClusterId,
  readStoredContext,
  readStoredNode,
  readStoredOverride,
  type StoredNode,
  type StoredOverride,
} from './stored-records.ts';

/** Converts an instant of the store's wall clock to the registry's clock. */
type ToMs = (unixMs: number) => number;

/** Restores records of objects that are not known yet; known ones stay unchanged. The same applies when the store answers late. */
export function restore(state: RegistryState, command: RestoreCommand): void {
  const { nowUnixMs, records } = command;
  const toMs: ToMs = (unixMs) => state.nowMs - (nowUnixMs - unixMs);
  const current: StoredRecord[] = [];
  for (const record of records) {
    state.stored.set(record.key, record.version);
    if (record.expiresAtUnixMs !== undefined && record.expiresAtUnixMs <= nowUnixMs) state.dirtyRecords.add(record.key);
    else current.push(record);
  }
  restoreClusterId(state, current, command.clusterId);
  for (const record of current) if (record.key.startsWith('balancer/')) restoreBalancer(state, record);
  const missing: NodeId[] = [];
  for (const record of current)
    if (record.key.startsWith('node/')) {
      const node = restoreNode(state, record, toMs);
      if (node?.liveness === 'suspect') missing.push(node.id);
    }
  for (const record of current) if (record.key.startsWith('override/')) restoreOverride(state, record, toMs);
  restoreContexts(state, current, toMs);
  chooseOwners(state);
  if (state.learning.expect(missing)) state.tellSettled();
}

/** Contexts without a node, remembered or forgotten, unless a node serves them by now. */
function restoreContexts(state: RegistryState, records: readonly StoredRecord[], toMs: ToMs): void {
  const contexts: RememberedContext[] = [];
  const forgotten: HostedContext[] = [];
  for (const record of records) {
    if (!record.key.startsWith('context/')) continue;
    rememberVersion(state, record);
    const stored = readStoredContext(record.value);
    if (stored === undefined) {
      state.unreadableRecords += 1;
      continue;
    }
    const { host, path, lost } = stored;
    if (state.contexts.isHeld(host, path)) state.dirtyRecords.add(record.key);
    else if (lost === undefined) forgotten.push({ host, path });
    else contexts.push({ host, path, balancer: lost.balancer, sinceMs: Math.min(state.nowMs, toMs(lost.sinceUnixMs)) });
  }
  state.remembered.restore(contexts, forgotten);
  if (contexts.length > 0) state.journal.contextsRemembered();
}

/** Sets the first token of restored balancers: the token of the node that has been registered for the longest time. */
function chooseOwners(state: RegistryState): void {
  const firstAtMs = new Map<BalancerName, number>();
  for (const { liveness, registeredAtMs, registration, owner } of state.nodes.all()) {
    const balancer = state.balancers.get(registration.balancer);
    const earlierAtMs = firstAtMs.get(registration.balancer);
    if (balancer === undefined || liveness === 'gone') continue;
    if (earlierAtMs === undefined ? balancer.owner !== undefined : earlierAtMs <= registeredAtMs) continue;
    balancer.owner = owner;
    firstAtMs.set(registration.balancer, registeredAtMs);
  }
}

/** The id in the store is that of the cluster. It is written once, and never replaced. */
function restoreClusterId(state: RegistryState, records: readonly StoredRecord[], otherwise: string | undefined): void {
  const record = records.find(({ key }) => key === recordKey.cluster);
  const id = record === undefined ? otherwise : readStoredClusterId(record.value);
  if (id !== undefined) state.setClusterId(id);
  else if (record !== undefined) state.unreadableRecords += 1;
  if (record === undefined && id !== undefined) state.dirtyRecords.add(recordKey.cluster);
}

function restoreBalancer(state: RegistryState, record: StoredRecord): void {
  const name = parseBalancerName(record.key.slice('balancer/'.length));
  const stored = readStoredBalancer(record.value);
  if (!name || !stored) {
    state.unreadableRecords += 1;
    return;
  }
  // Flags and files make balancers before the store answers. Only the store has the operator's settings of them.
  if (!state.balancers.has(name) && state.balancers.size >= state.options.maxBalancers) return;
  const balancer = state.balancer(name);
  if (stored.operator && balancer.operatorPatch === undefined) balancer.patch('operator', stored.operator);
  balancer.hint ??= stored.hint;
  rememberVersion(state, record);
  state.tellBalancer(name);
}

function restoreNode(state: RegistryState, record: StoredRecord, toMs: ToMs): NodeRecord | undefined {
  const stored = readStoredNode(record.value);
  if (!stored || record.key !== recordKey.node(stored.registration.id)) {
    state.unreadableRecords += 1;
    return undefined;
  }
  const { registration } = stored;
  const { id, balancer, route } = registration;
  if (state.nodes.get(id) !== undefined) return undefined;
  const node = recordFrom(state, stored, toMs);
  const isHolding = node.goneAtMs === undefined;
  // A gone node that no worker has known has no claim to its route: another node may have taken it.
  const needsRoute = node.isKnown || isHolding;
  if (needsRoute && state.routes.holder(balancer, route) !== undefined) return undefined;
  // A static member that has never answered holds no context.
  const holdsContexts = isHolding && (node.kind !== 'static' || isInFeed(node.liveness));
  if (holdsContexts && state.contexts.conflict(registration)) return undefined;
  const isFull = state.nodes.present + state.nodes.count('gone') >= 2 * state.options.maxNodes;
  const isNewBalancer = !state.balancers.has(balancer);
  if (isFull || (isNewBalancer && state.balancers.size >= state.options.maxBalancers)) return undefined;
  if (isNewBalancer) {
    state.tellBalancer(balancer);
    if (stored.standing !== 'operator') state.makers.made(balancer, node.owner);
  }
  state.nodes.add(node);
  node.settingsFault = hintWarning(hintOf(registration), state.balancer(balancer).inForce());
  if (needsRoute) state.routes.take(balancer, route, id);
  if (holdsContexts) state.holdContexts(node);
  if (isHolding && node.kind !== 'static') state.addresses.enter(registration.url, id);
  if (node.liveness === 'joining') state.journal.joining();
  if (node.liveness === 'suspect') state.journal.node(id);
  else if (node.isKnown) state.journal.route({ balancer, route });
  state.schedule(node);
  if (isHolding && node.kind !== 'agent')
    state.emit({
      type: 'registered',
      id,
      connection: node.connection,
      isNew: false,
      isReturn: true,
      needsProbe: true,
      warnings: [],
    });
  return node;
}

function recordFrom(state: RegistryState, stored: StoredNode, toMs: ToMs): NodeRecord {
  const { nowMs, options } = state;
  const { kind, owner, reach, registration } = stored;
  const leaseMs = stored.leaseMs ?? options.leaseMs;
  const goneAtMs = stored.goneAtUnixMs === undefined ? undefined : Math.min(nowMs, toMs(stored.goneAtUnixMs));
  const goneCause = goneAtMs === undefined ? undefined : (stored.goneCause ?? 'expired');
  const seed = {
    index: state.nodes.nextIndex(),
    owner,
    reach,
    standing: stored.standing,
    kind,
    leaseMs,
    registration,
    connection: 0,
  } as const;
  const node = freshRecord({ ...seed, ...restoredLiveness(stored, goneCause) }, nowMs);
  node.awaitsProbe = !stored.isProved;
  node.suspectMs = stored.suspectMs;
  node.probe = stored.probe;
  node.settledStarts = stored.settledStarts;
  node.isKnown = stored.isKnown;
  node.registeredAtMs = Math.min(nowMs, toMs(stored.registeredAtUnixMs));
  // A node that was in the feed has continued to serve.
  node.inFeedSinceMs = node.liveness === 'suspect' ? node.registeredAtMs : undefined;
  node.goneAtMs = goneAtMs;
  node.goneCause = goneCause;
  const { acknowledged } = stored;
  if (acknowledged !== undefined)
    node.acknowledged = { by: acknowledged.by, reason: acknowledged.reason, atMs: toMs(acknowledged.atUnixMs) };
  return node;
}

function restoredLiveness(
  { kind, isInFeed }: StoredNode,
  goneCause: GoneCause | undefined,
): Pick<NodeRecord, 'liveness' | 'livenessReason'> {
  if (goneCause !== undefined) return { liveness: 'gone', livenessReason: goneCause };
  if (isInFeed) return { liveness: 'suspect', livenessReason: 'expected' };
  return { liveness: 'joining', livenessReason: kind === 'agent' ? 'expected' : 'unprobed' };
}

function restoreOverride(state: RegistryState, record: StoredRecord, toMs: ToMs): void {
  const stored = readStoredOverride(record.value);
  if (!stored) {
    state.unreadableRecords += 1;
    return;
  }
  rememberVersion(state, record);
  const node = state.nodes.get(record.key.slice('override/'.length) as NodeId);
  if (!node) {
    state.dirtyRecords.add(record.key);
    return;
  }
  applyOverride(node, stored, toMs);
  if (node.liveness === 'suspect' && node.operatorStatus.status !== 'enabled') state.beginOperatorDrain(node);
  state.touchFeed(node);
  state.schedule(node);
}

function applyOverride(node: NodeRecord, stored: StoredOverride, toMs: ToMs): void {
  const { weight, standby, redirectTo, status, reason, by } = stored;
  node.operatorContexts = stored.contexts;
  node.overrides = { weight, standby, redirectTo };
  if (status === 'enabled') return;
  node.operatorStatus = {
    status,
    reason,
    by,
    atMs: toMs(stored.atUnixMs),
    deadlineAtMs: stored.deadlineAtUnixMs === undefined ? undefined : toMs(stored.deadlineAtUnixMs),
    untilMs: stored.untilUnixMs === undefined ? undefined : toMs(stored.untilUnixMs),
  };
}

/** Versions continue from the highest one ever read, also when the wall clock has been set back since. */
function rememberVersion(state: RegistryState, { version: [unixMs, count] }: StoredRecord): void {
  const [highestUnixMs, highestCount] = state.overrideVersion;
  state.overrideVersion = [Math.max(highestUnixMs, unixMs), Math.max(highestCount, count)];
}
