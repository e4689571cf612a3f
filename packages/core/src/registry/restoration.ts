/**
 * Makes the registry remember, after a start, what the store has kept. Nodes with an agent are expected back, with a
 * full lease for it; members without one have nobody to come back, so they are here again at once, to be probed.
 */
import type { NodeId } from '@rollcall/protocol';
import { parseBalancerName } from '@rollcall/protocol';
import type { StoredRecord } from '../store/store.ts';
import type { RestoreCommand } from './commands.ts';
import type { NodeRecord } from './node-record.ts';
import { freshRecord } from './node-record.ts';
import type { RegistryState } from './registry-state.ts';
import {
  readStoredBalancer,
  readStoredNode,
  readStoredOverride,
  type StoredNode,
  type StoredOverride,
} from './stored-records.ts';

/** Translates the store's wall clock into the registry's. */
type ToMs = (unixMs: number) => number;

/**
 * Restores what is not known yet; a repeat changes nothing of what is. When workers may already know the cluster, so
 * that some revision has been told, it is too late to wait for anybody: who is not here is gone, and remembered.
 */
export function restore(state: RegistryState, command: RestoreCommand): void {
  const { nowUnixMs, records } = command;
  const isLate = state.journal.revision > 0 || !state.learning.isOpen;
  const toMs: ToMs = (unixMs) => state.nowMs - (nowUnixMs - unixMs);
  const current: StoredRecord[] = [];
  for (const record of records) {
    state.stored.set(record.key, record.version);
    if (record.expiresAtUnixMs !== undefined && record.expiresAtUnixMs <= nowUnixMs) state.dirtyRecords.add(record.key);
    else current.push(record);
  }
  for (const record of current) if (record.key.startsWith('balancer/')) restoreBalancer(state, record);
  const missing: NodeId[] = [];
  for (const record of current)
    if (record.key.startsWith('node/')) {
      const node = restoreNode(state, record, toMs, isLate);
      if (node?.expectedUntilMs !== undefined) missing.push(node.id);
    }
  for (const record of current) if (record.key.startsWith('override/')) restoreOverride(state, record, toMs);
  if (state.learning.expect(missing)) state.tellSettled();
}

function restoreBalancer(state: RegistryState, record: StoredRecord): void {
  const name = parseBalancerName(record.key.slice('balancer/'.length));
  const stored = readStoredBalancer(record.value);
  if (!name || !stored) {
    state.unreadableRecords += 1;
    return;
  }
  // Flags and files make balancers before the store speaks; what it knows of them nobody else does.
  if (!state.balancers.has(name) && state.balancers.size >= state.options.maxBalancers) return;
  const balancer = state.balancer(name);
  if (stored.operator && balancer.operatorPatch === undefined) balancer.patch('operator', stored.operator);
  balancer.hint ??= stored.hint;
  rememberVersion(state, record);
  state.tellBalancer(name);
}

function restoreNode(state: RegistryState, record: StoredRecord, toMs: ToMs, isLate: boolean): NodeRecord | undefined {
  const stored = readStoredNode(record.value);
  if (!stored || record.key !== `node/${stored.registration.id}`) {
    state.unreadableRecords += 1;
    return undefined;
  }
  const { registration } = stored;
  const { id, balancer, route } = registration;
  if (state.nodes.get(id) !== undefined) return undefined;
  const node = recordFrom(state, stored, toMs, isLate);
  const isHolding = node.goneAtMs === undefined;
  // One that is gone and that no worker has known has no claim to its route: another may have taken it.
  const needsRoute = node.isKnown || isHolding;
  if (needsRoute && state.routes.holder(balancer, route) !== undefined) return undefined;
  if (isHolding && state.contexts.conflict(registration)) return undefined;
  const isFull = state.nodes.present + state.nodes.count('gone') >= 2 * state.options.maxNodes;
  const isNewBalancer = !state.balancers.has(balancer);
  if (isFull || (isNewBalancer && state.balancers.size >= state.options.maxBalancers)) return undefined;
  if (isNewBalancer) state.tellBalancer(balancer);
  state.nodes.add(node);
  if (needsRoute) state.routes.take(balancer, route, id);
  if (isHolding) state.contexts.take(registration);
  if (node.isKnown && isLate) state.journal.route({ balancer, route });
  state.schedule(node);
  if (node.liveness === 'joining')
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

function recordFrom(state: RegistryState, stored: StoredNode, toMs: ToMs, isLate: boolean): NodeRecord {
  const { nowMs, options } = state;
  const { kind, owner, registration } = stored;
  const isStatic = kind === 'static';
  const leaseMs = isStatic ? Number.POSITIVE_INFINITY : (stored.leaseMs ?? options.leaseMs);
  const isHere = kind !== 'agent' && stored.goneAtUnixMs === undefined;
  const goneAtMs = stored.goneAtUnixMs === undefined ? undefined : Math.min(nowMs, toMs(stored.goneAtUnixMs));
  const isGone = goneAtMs !== undefined || (isLate && !isHere);
  const goneCause = isGone ? (stored.goneCause ?? 'expired') : undefined;
  const seed = { index: state.nodes.nextIndex(), owner, kind, leaseMs, registration, connection: 0 } as const;
  const node = isHere
    ? freshRecord({ ...seed, liveness: 'joining', livenessReason: 'unprobed' }, nowMs)
    : freshRecord({ ...seed, liveness: 'gone', livenessReason: goneCause ?? 'expected' }, nowMs);
  node.awaitsProbe = isHere || !stored.isProved;
  node.isKnown = stored.isKnown;
  node.registeredAtMs = Math.min(nowMs, toMs(stored.registeredAtUnixMs));
  node.goneAtMs = isGone ? (goneAtMs ?? nowMs) : undefined;
  node.goneCause = goneCause;
  node.expectedUntilMs = isGone || isLate ? undefined : nowMs + leaseMs;
  return node;
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
  state.schedule(node);
}

function applyOverride(node: NodeRecord, stored: StoredOverride, toMs: ToMs): void {
  const { weight, standby, redirectTo, status, reason, by } = stored;
  node.overrides = { weight, standby, redirectTo };
  if (status === 'enabled') return;
  node.operatorWish = {
    status,
    reason,
    by,
    atMs: toMs(stored.atUnixMs),
    deadlineAtMs: stored.deadlineAtUnixMs === undefined ? undefined : toMs(stored.deadlineAtUnixMs),
    untilMs: stored.untilUnixMs === undefined ? undefined : toMs(stored.untilUnixMs),
  };
}

/** Versions go on from the highest ever seen, also when the wall clock has been set back since. */
function rememberVersion(state: RegistryState, { version: [unixMs, count] }: StoredRecord): void {
  const [highestUnixMs, highestCount] = state.overrideVersion;
  state.overrideVersion = [Math.max(highestUnixMs, unixMs), Math.max(highestCount, count)];
}
