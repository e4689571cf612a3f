/** Nodes and balancers as rows of `GET /v1/watch`: fewer fields than the resources, and cheaper to make. Without rates and problems. */
import type { BalancerName, BalancerRow, NodeId, NodeRow } from '@rollcall/protocol';
import { canServe } from '../../liveness/unserved.ts';
import { copiesResource } from '../failing-copies.ts';
import { effectiveStatus, isMissing, isStandby, type NodeView, weightOf } from '../node/node-record.ts';
import { sessionNumbers } from '../node/session-numbers.ts';
import type { RegistryState } from '../registry-state.ts';
import { drainProgress } from './drain-resource.ts';
import { factorOf } from './node-resource.ts';
import { type Now, toUnixMs } from './now.ts';

export type NodeFigures = Omit<NodeRow, 'rates' | 'problems'>;
export type BalancerFigures = Omit<BalancerRow, 'rates'>;

/** Instants are rounded to this, milliseconds. */
const ROUNDED_MS = 100;

/** `undefined` for a node that is unknown, or gone and not missing. */
export function nodeFigures(state: RegistryState, id: NodeId, now: Now): NodeFigures | undefined {
  const node = state.nodes.get(id);
  if (node === undefined || (node.liveness === 'gone' && !isMissing(node))) return undefined;
  const { registration, operatorStatus, overrides } = node;
  const { group, version, process, url } = registration;
  const counters = state.workers.counters(id, now.nowMs);
  const drain = node.operatorDrain ?? node.nodeDrain;
  const ejection = state.outcomes.ejection(id, now.nowMs);
  const standby = isStandby(node);
  return {
    balancer: registration.balancer,
    url,
    route: registration.route,
    ...(group !== undefined && { group }),
    ...(version !== undefined && { version }),
    host: process?.host ?? new URL(url).hostname,
    kind: node.kind,
    liveness: isMissing(node) ? 'missing' : node.liveness,
    sinceUnixMs: atUnixMs(sinceMs(node), now),
    ...(node.acknowledged !== undefined && { isAcknowledged: true as const }),
    ...(!node.isReady && { isNotReady: true as const }),
    status: effectiveStatus(node),
    ...(operatorStatus.status !== 'enabled' && { operatorStatus: requestOf(operatorStatus, now) }),
    nodeStatus: node.nodeStatus.status,
    ...factorOf(node),
    weight: weightOf(node),
    isStandby: standby,
    ...(overrides.redirectTo !== undefined && { redirectTo: overrides.redirectTo }),
    ...sessionNumbers(node.sessions, counters),
    inFlight: counters.inFlight,
    ...(counters.latencyMs >= 0 && { latencyMs: counters.latencyMs }),
    ...(ejection !== undefined && {
      ejection: {
        reason: ejection.reason,
        count: ejection.count,
        sinceUnixMs: atUnixMs(ejection.sinceMs, now),
        ...(counters.ejectedBy.length === 0 && { isOver: true as const }),
      },
    }),
    ...(drain !== undefined && { drain: drainProgress(state, node, drain, now) }),
  };
}

export function balancerFigures(state: RegistryState, name: BalancerName): BalancerFigures {
  const counts = { eligible: 0, up: 0, missing: 0, sessions: 0, inFlight: 0 };
  for (const node of state.nodes.inBalancer(name)) {
    const { id, liveness } = node;
    counts.inFlight += state.workers.inFlight(id);
    if (isMissing(node)) counts.missing += 1;
    if (liveness === 'gone') continue;
    if (liveness === 'up' && !state.ports.isGivenUp(id)) counts.up += 1;
    if (isEligible(state, node)) counts.eligible += 1;
    counts.sessions += state.sessionsOf(node).sessions;
  }
  const wanted = copiesResource(state, name)?.wanted;
  return { ...counts, ...(wanted !== undefined && { wanted }) };
}

/** Whether the node may take new work in the contexts that have the status of the node. */
function isEligible(state: RegistryState, node: NodeView): boolean {
  return canServe({
    id: node.id,
    liveness: node.liveness,
    status: effectiveStatus(node),
    port: state.ports.best(node.id),
    isConnected: node.isConnected,
    hasAgent: node.kind === 'agent',
  });
}

/** Start of the present liveness; for a suspect node its last sign of life. */
function sinceMs({ liveness, upSinceMs, goneAtMs, heardAtMs, registeredAtMs }: NodeView): number {
  switch (liveness) {
    case 'up':
      return upSinceMs;
    case 'gone':
      return goneAtMs ?? heardAtMs;
    case 'joining':
      return registeredAtMs;
    case 'suspect':
    case 'down':
      return heardAtMs;
  }
}

function requestOf(
  { status, by, reason, untilMs, deadlineAtMs }: NodeView['operatorStatus'],
  now: Now,
): NonNullable<NodeRow['operatorStatus']> {
  return {
    status,
    ...(by !== undefined && { by }),
    ...(reason !== undefined && { reason }),
    ...(untilMs !== undefined && { untilUnixMs: atUnixMs(untilMs, now) }),
    ...(deadlineAtMs !== undefined && { deadlineUnixMs: atUnixMs(deadlineAtMs, now) }),
  };
}

function atUnixMs(atMs: number, now: Now): number {
  return ROUNDED_MS * Math.round(toUnixMs(atMs, now) / ROUNDED_MS);
}
