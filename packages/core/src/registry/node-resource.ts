/** One node, and one balancer, as operators see them. Instants leave the process as wall clock, computed here only. */
import type {
  BalancerName,
  BalancerResource,
  DrainProgress,
  NodeId,
  NodeResource,
  WantedStatus,
} from '@rollcall/protocol';
import { loadFactor } from '@rollcall/protocol';
import type { Drain } from './drain.ts';
import type { LivenessReason, NodeView, Wish } from './node-record.ts';
import { contextStatus, effectiveStatus, isStandby, weightOf } from './node-record.ts';
import type { RegistryState } from './registry-state.ts';
import { weightWarning } from './weight-bounds.ts';

/** One instant on both clocks. */
export interface Now {
  readonly nowMs: number;
  readonly nowUnixMs: number;
}

export function nodeResource(state: RegistryState, id: NodeId, now: Now): NodeResource | undefined {
  const node = state.nodes.get(id);
  if (!node) return undefined;
  const { registration } = node;
  const totals = state.workers.totals(id, now.nowMs);
  const drain = node.operatorDrain ?? node.nodeDrain;
  return {
    id,
    balancer: registration.balancer,
    url: registration.url,
    route: registration.route,
    hosts: registration.hosts,
    contexts: registration.contexts.map(({ path }) => ({ path, status: contextStatus(node, path) })),
    ...(registration.group !== undefined && { group: registration.group }),
    weight: weightOf(node),
    isStandby: isStandby(node),
    isStatic: node.kind === 'static',
    ...(node.overrides.redirectTo !== undefined && { redirectTo: node.overrides.redirectTo }),
    incarnation: registration.incarnation,
    ...(registration.process !== undefined && { process: registration.process }),
    ...(registration.version !== undefined && { version: registration.version }),
    meta: registration.meta,
    status: effectiveStatus(node),
    wanted: wanted(node.operatorWish, now),
    reported: wanted(node.nodeWish, now),
    liveness: node.liveness,
    ...(node.livenessReason !== undefined && { livenessReason: inWords(node, node.livenessReason, now) }),
    isReady: node.isReady,
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
      isEjected: totals.ejectedBy.length > 0,
      ejectedBy: totals.ejectedBy,
      requests: totals.requests,
      failures: totals.failures,
      serverErrors: totals.serverErrors,
      latencyMs: totals.latencyMs,
      bytesToNode: totals.bytesToNode,
      bytesFromNode: totals.bytesFromNode,
      ports: state.ports.of(id),
      parked: totals.parked,
      failovers: state.failovers.of(id),
    },
    ...(node.load !== undefined && { load: node.load }),
    loadFactor: loadFactor(node.history.load.mean, isStandby(node)),
    metrics: node.metrics,
    sessions: node.sessions ?? totals.sessions,
    sessionsFrom: node.sessions === undefined ? 'workers' : 'node',
    newSessions: totals.newSessions,
    inFlight: totals.inFlight,
    tunnels: totals.tunnels,
    registeredAtUnixMs: toUnixMs(node.registeredAtMs, now),
    silentMs: node.kind === 'static' ? -1 : Math.max(0, Math.round(now.nowMs - node.heardAtMs)),
    ...(node.goneAtMs !== undefined && { goneAtUnixMs: toUnixMs(node.goneAtMs, now) }),
    ...(drain !== undefined && { drain: drainProgress(state, node, drain, now) }),
    warnings: [...node.warnings, ...[weightWarning(node)].filter((one) => one !== undefined)],
  };
}

export function toUnixMs(atMs: number, { nowMs, nowUnixMs }: Now): number {
  return Math.round(nowUnixMs - (nowMs - atMs));
}

function wanted(wish: Wish, now: Now): WantedStatus {
  return {
    status: wish.status,
    ...(wish.reason !== undefined && { reason: wish.reason }),
    ...(wish.by !== undefined && { by: wish.by }),
    atUnixMs: toUnixMs(wish.atMs, now),
    ...(wish.deadlineAtMs !== undefined && { deadlineAtUnixMs: toUnixMs(wish.deadlineAtMs, now) }),
    ...(wish.untilMs !== undefined && { untilUnixMs: toUnixMs(wish.untilMs, now) }),
  };
}

function drainProgress(state: RegistryState, node: NodeView, drain: Drain, now: Now): DrainProgress {
  const usage = state.usage(node, drain.revision);
  const oldestMs = state.workers.oldestSessionMs(node.id, now.nowMs);
  return {
    sinceUnixMs: toUnixMs(drain.sinceMs, now),
    sessionsLeft: usage.sessions,
    ...(oldestMs !== undefined && { oldestSessionMs: Math.round(oldestMs) }),
    inFlight: usage.inFlight,
    tunnels: usage.tunnels,
    isDone: drain.isDone,
    waitingFor: drain.isDone ? [] : usage.waitingFor,
  };
}

export function inWords(node: NodeView, reason: LivenessReason, now: Now): string {
  switch (reason) {
    case 'silent':
      return `no heartbeat for ${inSeconds(now.nowMs - node.heardAtMs)}`;
    case 'disconnected':
      return 'its connection closed without leave';
    case 'unresponsive':
      return `it has not answered a worker for ${inSeconds(now.nowMs - node.heardAtMs)}`;
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
      return 'left by its own choice';
    case 'expired':
      return node.liveness === 'down'
        ? `no answer for ${inSeconds(now.nowMs - node.heardAtMs)}`
        : node.kind === 'lease'
          ? 'its registration was not repeated in time'
          : 'no sign of life until its lease was over';
    case 'refused':
      return node.kind === 'agent'
        ? 'its connection closed and its port refused connections'
        : 'its port refuses connections';
    case 'taken':
      return 'another node or program has its address';
    case 'removed':
      return 'removed by an operator';
  }
}

/** A duration for people, e.g. `3.3 s`, `12 s`. */
function inSeconds(ms: number): string {
  const seconds = Math.max(0, ms) / 1_000;
  return `${seconds < 10 ? Math.round(seconds * 10) / 10 : Math.round(seconds)} s`;
}

export function balancerResource(state: RegistryState, name: BalancerName): BalancerResource | undefined {
  const balancer = state.balancers.get(name);
  if (!balancer) return undefined;
  const counts = { nodes: 0, nodesUp: 0, sessions: 0, inFlight: 0 };
  const contexts = new Map<string, BalancerResource['contexts'][number]>();
  for (const node of state.nodes.inBalancer(name)) {
    counts.inFlight += state.workers.inFlight(node.id);
    if (node.liveness === 'gone') continue;
    counts.nodes += 1;
    if (node.liveness === 'up' && !state.ports.isGivenUp(node.id)) counts.nodesUp += 1;
    counts.sessions += node.sessions ?? state.workers.sessions(node.id, state.nowMs);
    for (const host of node.registration.hosts)
      for (const { path } of node.registration.contexts) contexts.set(`${host} ${path}`, { host, path });
  }
  const { algorithm, sessionAlgorithm, sticky, retries, sessionIdleMs, assign } = balancer.inForce();
  return {
    name,
    algorithm,
    sessionAlgorithm,
    sticky,
    retries,
    sessionIdleMs,
    assign,
    origins: balancer.origins(),
    ...counts,
    contexts: [...contexts.values()],
  };
}
