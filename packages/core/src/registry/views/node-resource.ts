/** One node, and one balancer, as resources for operators. Only here instants are converted to wall clock. */
import type { BalancerName, BalancerResource, NodeId, NodeResource, WantedStatus } from '@rollcall/protocol';
import { inSeconds, loadFactor } from '@rollcall/protocol';
import { contextKey, hostedContexts } from '../../contexts/hosted-context.ts';
import { copiesResource } from '../failing-copies.ts';
import type { LivenessReason, NodeView, RequestedStatus } from '../node/node-record.ts';
import { contextsWithStatus, effectiveStatus, isMissing, isStandby, weightOf } from '../node/node-record.ts';
import { sessionNumbers } from '../node/session-numbers.ts';
import { weightWarning } from '../node/weight-bounds.ts';
import type { RegistryState } from '../registry-state.ts';
import { type EjectionView, errorRatio, type RecentOutcomes } from '../workers/node-outcomes.ts';
import { drainProgress } from './drain-resource.ts';
import { type Now, toUnixMs } from './now.ts';

export function nodeResource(state: RegistryState, id: NodeId, now: Now): NodeResource | undefined {
  const node = state.nodes.get(id);
  if (!node) return undefined;
  const { registration } = node;
  const counters = state.workers.counters(id, now.nowMs);
  const drain = node.operatorDrain ?? node.nodeDrain;
  return {
    id,
    balancer: registration.balancer,
    url: registration.url,
    route: registration.route,
    hosts: registration.hosts,
    contexts: contextsWithStatus(node),
    ...(registration.group !== undefined && { group: registration.group }),
    weight: weightOf(node),
    isStandby: isStandby(node),
    isStatic: node.kind === 'static',
    ...(registration.stripPrefix === true && { stripPrefix: true }),
    ...(node.overrides.redirectTo !== undefined && { redirectTo: node.overrides.redirectTo }),
    incarnation: registration.incarnation,
    ...(registration.process !== undefined && { process: registration.process }),
    ...(registration.version !== undefined && { version: registration.version }),
    meta: registration.meta,
    status: effectiveStatus(node),
    wanted: statusResource(node.operatorStatus, now),
    reported: statusResource(node.nodeStatus, now),
    liveness: isMissing(node) ? 'missing' : node.liveness,
    ...(node.livenessReason !== undefined && { livenessReason: inWords(node, node.livenessReason, now.nowMs) }),
    ...(state.isReported(node) && { heardBy: node.reportedBy }),
    ...(registration.readyPath !== undefined && { readyPath: registration.readyPath }),
    isReady: node.isReady,
    ...(node.readyReason !== undefined && { readyReason: node.readyReason }),
    ...(node.returns.flapping !== undefined && {
      flapping: {
        count: node.returns.flapping.count,
        sinceUnixMs: toUnixMs(node.returns.flapping.sinceMs, now),
        ...(node.returns.flapping.heldUntilMs !== undefined && {
          heldUntilUnixMs: toUnixMs(node.returns.flapping.heldUntilMs, now),
        }),
      },
    }),
    observed: {
      recent: recentResource(state.outcomes.recent(id, now.nowMs)),
      ...ejectionResource(state.outcomes.ejection(id, now.nowMs), now),
      isEjected: counters.ejectedBy.length > 0,
      ejectedBy: counters.ejectedBy,
      requests: counters.requests,
      failures: counters.failures,
      serverErrors: counters.serverErrors,
      latencyMs: counters.latencyMs,
      bytesToNode: counters.bytesToNode,
      bytesFromNode: counters.bytesFromNode,
      ports: state.ports.of(id),
      parked: counters.parked,
      failovers: state.failovers.of(id),
    },
    ...(node.load !== undefined && { load: node.load }),
    ...factorOf(node),
    metrics: node.metrics,
    ...sessionNumbers(node.sessions, counters),
    sessionsFrom: node.sessions === undefined ? 'workers' : 'node',
    newSessions: counters.newSessions,
    inFlight: counters.inFlight,
    tunnels: counters.tunnels,
    registeredAtUnixMs: toUnixMs(node.registeredAtMs, now),
    silentMs: node.kind === 'static' ? -1 : Math.max(0, Math.round(now.nowMs - node.heardAtMs)),
    ...(node.goneAtMs !== undefined && { goneAtUnixMs: toUnixMs(node.goneAtMs, now) }),
    ...(node.acknowledged && {
      acknowledged: {
        by: node.acknowledged.by,
        ...(node.acknowledged.reason !== undefined && { reason: node.acknowledged.reason }),
        atUnixMs: toUnixMs(node.acknowledged.atMs, now),
      },
    }),
    ...(drain !== undefined && { drain: drainProgress(state, node, drain, now) }),
    warnings: [node.settingsFault, node.addressFault, weightWarning(node)].filter((one) => one !== undefined),
  };
}

/** Without a reported load the node has no load factor. */
export function factorOf(node: NodeView): { readonly loadFactor?: number } {
  const factor = loadFactor(node.history.load.mean, isStandby(node));
  return factor === undefined ? {} : { loadFactor: factor };
}

function recentResource(recent: RecentOutcomes): NodeResource['observed']['recent'] {
  return {
    requests: Math.round(recent.requests * 10) / 10,
    errorRatio: Math.round(errorRatio(recent) * 1_000) / 1_000,
  };
}

function ejectionResource(ejection: EjectionView | undefined, now: Now): Pick<NodeResource['observed'], 'ejection'> {
  if (ejection === undefined) return {};
  const { reason, sinceMs, count } = ejection;
  return { ejection: { reason, sinceUnixMs: toUnixMs(sinceMs, now), count } };
}

function statusResource(requestedStatus: RequestedStatus, now: Now): WantedStatus {
  return {
    status: requestedStatus.status,
    ...(requestedStatus.reason !== undefined && { reason: requestedStatus.reason }),
    ...(requestedStatus.by !== undefined && { by: requestedStatus.by }),
    atUnixMs: toUnixMs(requestedStatus.atMs, now),
    ...(requestedStatus.deadlineAtMs !== undefined && {
      deadlineAtUnixMs: toUnixMs(requestedStatus.deadlineAtMs, now),
    }),
    ...(requestedStatus.untilMs !== undefined && { untilUnixMs: toUnixMs(requestedStatus.untilMs, now) }),
  };
}

export function inWords(node: NodeView, reason: LivenessReason, nowMs: number): string {
  switch (reason) {
    case 'silent':
      return `no heartbeat for ${inSeconds(nowMs - node.heardAtMs)}`;
    case 'disconnected':
      return 'its connection closed without leave';
    case 'unresponsive':
      return `it has not answered a worker for ${inSeconds(nowMs - node.heardAtMs)}`;
    case 'unreachable':
      return `the coordinator cannot reach it: ${node.livenessDetail}`;
    case 'blocked':
      return `it answers, but another balancer serves its context: ${node.livenessDetail}`;
    case 'restarted':
      return 'a new process or address is being probed';
    case 'unprobed':
      return 'being probed';
    case 'expected':
      return node.kind === 'agent'
        ? 'its agent has not connected since the coordinator started'
        : 'it has not answered since the coordinator started';
    case 'left':
      return node.livenessDetail ?? 'left by its own choice';
    case 'expired':
      return node.liveness === 'down'
        ? `no answer for ${inSeconds(nowMs - node.heardAtMs)}`
        : node.kind === 'lease'
          ? 'its registration was not repeated in time'
          : 'no sign of life until its lease was over';
    case 'refused':
      return node.kind === 'agent'
        ? 'its connection closed and its port refused connections'
        : 'its port refuses connections';
    case 'taken':
      return 'another node or program has its address';
    case 'claim-lost':
      return 'another coordinator has accepted a node with its id, route or context';
    case 'removed':
      return 'removed by an operator';
  }
}

export function balancerResource(state: RegistryState, name: BalancerName): BalancerResource | undefined {
  const balancer = state.balancers.get(name);
  if (!balancer) return undefined;
  const counts = { nodes: 0, nodesUp: 0, sessions: 0, sessionsSeenOnce: 0, inFlight: 0 };
  const contexts = new Map<string, BalancerResource['contexts'][number]>();
  for (const node of state.nodes.inBalancer(name)) {
    counts.inFlight += state.workers.inFlight(node.id);
    if (node.liveness === 'gone') continue;
    counts.nodes += 1;
    if (node.liveness === 'up' && !state.ports.isGivenUp(node.id)) counts.nodesUp += 1;
    const { sessions, sessionsSeenOnce } = state.sessionsOf(node);
    counts.sessions += sessions;
    counts.sessionsSeenOnce += sessionsSeenOnce;
    for (const { host, path } of hostedContexts(node.registration))
      contexts.set(contextKey({ host, path }), { host, path });
  }
  const copies = copiesResource(state, name);
  const { algorithm, sessionAlgorithm, sticky, retries, sessionIdleMs, assign, limits } = balancer.inForce();
  return {
    name,
    algorithm,
    sessionAlgorithm,
    sticky,
    retries,
    sessionIdleMs,
    minEligible: balancer.minEligible,
    assign,
    ...(limits && { limits }),
    origins: balancer.origins(),
    ...counts,
    contexts: [...contexts.values()],
    ...(copies !== undefined && { copies }),
  };
}
