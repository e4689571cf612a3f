/**
 * Records that coordinators share: nodes, what operators have requested of them, and their settings of balancers. Times are durations that
 * remain, because the clocks of two coordinators differ.
 */
import { type NodeId, parseBalancerName } from '@rollcall/protocol';
import { isDeletion, type SharedRecord } from '../../replication/shared-record.ts';
import { recordKey } from '../../store/record-key.ts';
import type { MergeCommand } from '../commands.ts';
import { mergeContextRequests } from '../context-requests.ts';
import { type NodeRecord, noRequestedStatus, type RequestedStatus } from '../node/node-record.ts';
import { applyOperatorStatus, applyOverrides, changeSettings } from '../operator-commands.ts';
import type { RegistryState } from '../registry-state.ts';
import type { SharedChange } from './shared-change.ts';
import { contextChange, contextChanges, mergeContexts } from './shared-contexts.ts';
import { endRivals, mergeNode, nodeChange, reportChange, takeReport } from './shared-nodes.ts';
import { readStoredBalancer, readStoredOverride } from './stored-records.ts';

/** Two ends of one request that differ by less are the same, milliseconds. */
const SAME_TIME_MS = 1_000;

/** Takes the changes since the last call out of `state`. */
export function takeShared(state: RegistryState): SharedChange[] {
  const changes: SharedChange[] = [];
  for (const key of state.dirtyShared) {
    const change = changeOf(state, key);
    if (change !== undefined) changes.push(change);
  }
  for (const place of state.sharedContexts.values()) changes.push(contextChange(state, place));
  state.dirtyShared.clear();
  state.sharedContexts.clear();
  state.removedNodes.clear();
  return changes;
}

/** All that this coordinator has. */
export function allShared(state: RegistryState): SharedChange[] {
  const all: SharedChange[] = [];
  for (const node of state.nodes.all()) {
    all.push(overrideChange(state, node), reportChange(state, node));
    const change = node.liveness === 'gone' ? undefined : nodeChange(state, node);
    if (change !== undefined) all.push(change);
  }
  for (const name of state.balancers.keys()) all.push(balancerChange(state, name));
  all.push(...contextChanges(state));
  return all.filter(({ value }) => value !== undefined);
}

/** `undefined` for an unknown node: what was requested of it may be in force elsewhere. */
function changeOf(state: RegistryState, key: string): SharedChange | undefined {
  const [kind, name = ''] = key.split('/');
  if (kind === 'balancer') return balancerChange(state, name);
  const node = state.nodes.get(name as NodeId) ?? state.removedNodes.get(name as NodeId);
  if (node === undefined) return undefined;
  if (kind === 'node') return nodeChange(state, node);
  return kind === 'report' ? reportChange(state, node) : overrideChange(state, node);
}

function balancerChange(state: RegistryState, name: string): SharedChange {
  const parsed = parseBalancerName(name);
  const operator = parsed && state.balancers.get(parsed)?.operatorPatch;
  return { key: recordKey.balancer(name), value: operator && { operator }, remaining: {} };
}

function overrideChange(
  state: RegistryState,
  { id, operatorStatus, operatorContexts, overrides }: NodeRecord,
): SharedChange {
  const { status, reason, by, deadlineAtMs, untilMs } = operatorStatus;
  const { weight, standby, redirectTo } = overrides;
  const value = {
    ...(status !== 'enabled' && { status }),
    ...(reason !== undefined && { reason }),
    ...(by !== undefined && { by }),
    ...(weight !== undefined && { weight }),
    ...(standby !== undefined && { standby }),
    ...(redirectTo !== undefined && { redirectTo }),
    ...(operatorContexts.size > 0 && {
      contexts: [...operatorContexts].map(([path, ofContext]) => ({ path, status: ofContext })),
    }),
  };
  const remaining = {
    ...(deadlineAtMs !== undefined && { deadline: deadlineAtMs - state.nowMs }),
    ...(untilMs !== undefined && { until: untilMs - state.nowMs }),
  };
  return { key: recordKey.override(id), value: Object.keys(value).length === 0 ? undefined : value, remaining };
}

/** Puts the records that stand now in force. Records of unknown nodes, and of later releases, have no effect. */
export function mergeShared(state: RegistryState, { records, reports = [], displaced, lost = [] }: MergeCommand): void {
  for (const conflict of lost) state.emit({ type: 'conflict-lost', ...conflict });
  if (displaced !== undefined) endRivals(state, displaced);
  const reported = new Map(reports.map((report) => [recordKey.node(report.id), report]));
  for (const record of records) if (record.key.startsWith('node/')) mergeNode(state, record, reported.get(record.key));
  for (const report of reports) takeReport(state, report);
  for (const record of records) {
    const [kind, name = ''] = record.key.split('/');
    if (kind === 'override') mergeOverride(state, record, name);
    else if (kind === 'balancer') mergeBalancer(state, record, name);
  }
  mergeContexts(
    state,
    records.filter(({ key }) => key.startsWith('context/')),
  );
}

function mergeOverride(state: RegistryState, record: SharedRecord, name: string): void {
  const node = state.nodes.get(name as NodeId);
  if (node === undefined) return;
  const stored = readStoredOverride(isDeletion(record) ? {} : record.value);
  if (stored === undefined) {
    state.unreadableRecords += 1;
    return;
  }
  const { status, reason, by, weight, standby, redirectTo } = stored;
  applyOverrides(state, node, { weight, standby, redirectTo }, by ?? ANOTHER);
  mergeContextRequests(state, node, stored.contexts, by ?? ANOTHER);
  const next = requested(state, record, { status, reason, by });
  if (isSameRequest(node.operatorStatus, next)) return;
  const { deadline, until } = record.remaining;
  applyOperatorStatus(state, node, next, {
    by: by ?? ANOTHER,
    ...(reason !== undefined && { reason }),
    ...(deadline !== undefined && { deadlineMs: Math.max(0, deadline) }),
    ...(until !== undefined && { forMs: Math.max(0, until) }),
  });
}

/** In events, in place of a name that the record does not have. */
const ANOTHER = 'another coordinator';

function requested(
  { nowMs }: RegistryState,
  { remaining: { deadline, until } }: SharedRecord,
  request: Pick<RequestedStatus, 'status' | 'reason' | 'by'>,
): RequestedStatus {
  if (request.status === 'enabled') return noRequestedStatus(nowMs);
  return {
    ...request,
    atMs: nowMs,
    deadlineAtMs: deadline === undefined ? undefined : nowMs + deadline,
    untilMs: until === undefined ? undefined : nowMs + until,
    isElsewhere: true,
  };
}

function isSameRequest(one: RequestedStatus, other: RequestedStatus): boolean {
  if (one.status !== other.status) return false;
  if (one.status === 'enabled') return true;
  const isSameTime = (a: number | undefined, b: number | undefined): boolean =>
    a === undefined || b === undefined ? a === b : Math.abs(a - b) < SAME_TIME_MS;
  return (
    one.reason === other.reason &&
    one.by === other.by &&
    isSameTime(one.deadlineAtMs, other.deadlineAtMs) &&
    isSameTime(one.untilMs, other.untilMs)
  );
}

function mergeBalancer(state: RegistryState, record: SharedRecord, text: string): void {
  const name = parseBalancerName(text);
  const stored = readStoredBalancer(isDeletion(record) ? {} : record.value);
  if (name === undefined || stored === undefined) {
    state.unreadableRecords += 1;
    return;
  }
  const isNew = !state.balancers.has(name);
  if (isNew && (isDeletion(record) || state.balancers.size >= state.options.maxBalancers)) return;
  state.touchBalancerRecord(name);
  changeSettings(state, name, ANOTHER, (balancer) => balancer.replace('operator', stored.operator ?? {}));
}
