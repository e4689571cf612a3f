/**
 * Nodes as coordinators share them.
 *
 * - `node/ID`: the names of a node, its process, and processes that have ended. Each coordinator that accepts a process writes the same.
 * - `report/ID`: this coordinator receives the heartbeats of the process. Written when the first arrives and when they end.
 *
 * A node with an own connection is judged by that connection. Without one, a report of another coordinator keeps it up while its port answers.
 */
import type { NodeId } from '@rollcall/protocol';
import { type EndedInstance, endedInstances } from '../../replication/node-merge.ts';
import { isDeletion, type SharedRecord } from '../../replication/shared-record.ts';
import { recordKey } from '../../store/record-key.ts';
import type { MergeCommand, NodeHeardReport } from '../commands.ts';
import type { Rejection } from '../events.ts';
import type { NodeRecord, NodeView } from '../node/node-record.ts';
import { holderText, OWN_ID } from '../ownership/holder-text.ts';
import { register } from '../registration.ts';
import type { RegistryState } from '../registry-state.ts';
import type { SharedChange } from './shared-change.ts';
import { readStoredNode, type StoredNode, sharedNodeValue } from './stored-records.ts';

/** The node's record. No change for a process that this coordinator has lost: others may receive its heartbeats. */
export function nodeChange(state: RegistryState, node: NodeView): SharedChange | undefined {
  const { kind, liveness, goneCause } = node;
  const hasEnded = goneCause === 'left' || goneCause === 'removed' || (kind === 'lease' && goneCause === 'expired');
  if (liveness === 'gone' && !hasEnded) return undefined;
  const termMs = kind === 'lease' && liveness !== 'gone' ? node.renewedAtMs + node.leaseMs - state.nowMs : undefined;
  return {
    key: recordKey.node(node.id),
    value: sharedNodeValue(node),
    remaining: termMs === undefined ? {} : { deadline: termMs },
    ...(liveness === 'gone' && { end: goneCause === 'removed' ? ('removed' as const) : ('left' as const) }),
    ...(state.removedNodes.has(node.id) && { isForgotten: true as const }),
  };
}

export function reportChange(state: RegistryState, node: NodeView): SharedChange {
  const isHeard = node.liveness !== 'gone' && state.isAgentHeard(node);
  const { instance } = node.registration;
  return { key: recordKey.report(node.id), value: isHeard ? { instance } : undefined, remaining: {} };
}

/** `report`: of the same node, if others receive heartbeats of one of its processes. */
export function mergeNode(state: RegistryState, record: SharedRecord, report: NodeHeardReport | undefined): void {
  if (isDeletion(record)) {
    state.endedElsewhere.delete(record.key.slice('node/'.length) as NodeId);
    return;
  }
  const stored = readStoredNode(record.value);
  if (stored === undefined || record.key !== recordKey.node(stored.registration.id)) {
    state.unreadableRecords += 1;
    return;
  }
  const { id, instance } = stored.registration;
  const ended = endedInstances(record.value);
  const known = state.endedElsewhere.get(id) ?? [];
  state.endedElsewhere.set(id, ended);
  const holder = state.nodes.get(id);
  if (holder !== undefined) endProcess(state, holder, ended, known);
  const hasEnded = ended.some((one) => one.instance === instance);
  const isHeard = stored.kind !== 'agent' || (report?.by.length ?? 0) > 0;
  if (hasEnded || !isHeard) return;
  const node = state.nodes.get(id);
  const isPresent = node !== undefined && node.liveness !== 'gone' && node.registration.instance === instance;
  if (isPresent && stored.kind !== 'lease') return;
  if (node !== undefined && !isPresent) displace(state, node, stored);
  take(state, stored, record.remaining.deadline);
}

/** The end of a process counts here once. A process that has left one coordinator stays here until its connection to this one ends as well. */
function endProcess(
  state: RegistryState,
  node: NodeRecord,
  ended: readonly EndedInstance[],
  known: readonly EndedInstance[],
): void {
  const { instance } = node.registration;
  const found = ended.find((one) => one.instance === instance);
  if (found === undefined || known.some((one) => one.instance === instance && one.end === found.end)) return;
  if (node.liveness === 'gone') {
    if (found.end === 'removed' && node.goneCause !== 'removed') state.forgetRemoved(node);
  } else if (found.end === 'removed')
    refuse(state, node, 'removed', `an operator has removed node ${node.id} at another coordinator`);
  else if (found.end === undefined) refuse(state, node, 'superseded', replacedText(state, node));
  else if (!node.isConnected) state.markGone(node, 'left');
}

export function hasEndedElsewhere(state: RegistryState, { id, registration }: NodeView): boolean {
  return state.endedElsewhere.get(id)?.some(({ instance }) => instance === registration.instance) === true;
}

/** Nodes with a route or context that another node has claimed earlier, at a coordinator that did not know them. */
export function endRivals(state: RegistryState, { ids, code, by }: NonNullable<MergeCommand['displaced']>): void {
  for (const id of ids) {
    const node = state.nodes.get(id);
    if (node === undefined || node.liveness === 'gone') continue;
    const what = code === 'route-taken' ? 'the route' : 'a context';
    refuse(state, node, code, `node ${by} has claimed ${what} of node ${id} earlier, at another coordinator`);
  }
}

function refuse(
  state: RegistryState,
  node: NodeRecord,
  code: 'removed' | 'superseded' | 'route-taken' | 'context-taken',
  message: string,
): void {
  const { id, connection, isConnected } = node;
  state.markGone(node, code === 'removed' ? 'removed' : 'claim-lost');
  if (isConnected) state.emit({ type: 'connection-refused', id, connection, code, message });
}

/** Two coordinators had accepted a process each: by the rules of node-merge.ts this one has lost the id. */
function displace(state: RegistryState, node: NodeRecord, stored: StoredNode): void {
  if (node.liveness === 'gone') return;
  const { instance, incarnation } = stored.registration;
  refuse(state, node, 'superseded', `${replacedText(state, node)}: instance ${instance}, started at ${incarnation}`);
}

function replacedText(state: RegistryState, node: NodeView): string {
  return `another process has taken the id over at another coordinator from ${holderText(state, node, node)}. ${OWN_ID}`;
}

function take(state: RegistryState, stored: StoredNode, termMs: number | undefined): void {
  const { registration, owner, reach, standing, kind, leaseMs } = stored;
  const refusal = register(state, {
    type: 'register',
    node: registration,
    connection: 0,
    owner,
    ...(reach !== undefined && { reach }),
    kind,
    ...(leaseMs !== undefined && { leaseMs }),
    isReplacing: true,
    standing,
    mayShadow: true,
    isReported: true,
  });
  if (refusal !== undefined) reportConflict(state, registration, refusal);
  const node = state.nodes.get(registration.id);
  if (refusal !== undefined || node === undefined || leaseMs === undefined || termMs === undefined) return;
  node.renewedAtMs = state.nowMs - Math.max(0, leaseMs - termMs);
  state.schedule(node);
}

/** By the order of their claims, which the caller knows, either this node is not known here, or the holders end. */
function reportConflict(state: RegistryState, registration: StoredNode['registration'], refusal: Rejection): void {
  const { id, balancer, route } = registration;
  const { code, message } = refusal;
  const holder = state.routes.holder(balancer, route);
  if (code === 'route-taken' && holder !== undefined)
    state.emit({ type: 'claim-conflict', id, holders: [holder], code, message });
  else if (code === 'context-taken')
    state.emit({ type: 'claim-conflict', id, holders: state.contexts.rivals(registration), code, message });
}

/** Takes a report of other coordinators on a node that is known. */
export function takeReport(state: RegistryState, { id, instance, by }: NodeHeardReport): void {
  const node = state.nodes.get(id as NodeId);
  if (node === undefined || node.kind !== 'agent') return;
  const wasReported = state.isReported(node);
  node.reportedBy = node.registration.instance === instance ? by : [];
  const isReported = state.isReported(node);
  if (wasReported === isReported || node.liveness === 'gone') return;
  // The time without heartbeats begins now.
  node.heardAtMs = state.nowMs;
  node.signAtMs = state.nowMs;
  if (!isReported && node.liveness === 'up') state.markSuspect(node, 'disconnected');
  const isLost =
    node.livenessReason === 'disconnected' || node.livenessReason === 'silent' || node.livenessReason === 'expected';
  const isRefused = state.ports.counts(id as NodeId).refused > 0;
  if (isReported && node.liveness === 'suspect' && isLost && !node.awaitsProbe && !isRefused) state.markUp(node);
  state.touchFeed(node);
  state.schedule(node);
}
