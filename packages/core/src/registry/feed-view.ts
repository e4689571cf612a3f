/**
 * The registry as the feed tells it, whole (`snapshotOf`) and as changes (`changesOf`).
 *
 * A consumer that applies the changes in order has what a snapshot would say, by these rules: `gone` takes the node out
 * and remembers the route as not expected; `node` puts the node in, whatever it was before, and drops its route from the
 * remembered; `forgotten` drops a remembered route; `settled` with no learning time left makes all remembered routes
 * not expected.
 */
import type { FeedBalancer, FeedChange, FeedNode, FeedRememberedRoute } from '@rollcall/protocol';
import type { FeedDirt } from './feed-journal.ts';
import type { NodeView } from './node-record.ts';
import { contextStatus, isStandby, takesNew, weightOf } from './node-record.ts';
import { isInFeed } from './node-status.ts';
import type { RegistryState } from './registry-state.ts';
import { routeKey } from './route-ownership.ts';

/** All that the feed says at one revision. */
export interface Snapshot {
  readonly revision: number;
  readonly isSettled: boolean;
  readonly learningMs: number;
  readonly nodes: readonly FeedNode[];
  readonly balancers: readonly FeedBalancer[];
  readonly remembered: readonly FeedRememberedRoute[];
}

export function snapshotOf(state: RegistryState, nowMs: number): Snapshot {
  const nodes: FeedNode[] = [];
  const remembered: FeedRememberedRoute[] = [];
  for (const node of state.nodes.all()) {
    const inFeed = feedNode(node, nowMs);
    if (inFeed) nodes.push(inFeed);
    else if (node.isKnown) {
      const { balancer, route } = node.registration;
      remembered.push({ balancer, route, isExpected: state.learning.isMissing(node.id) });
    }
  }
  return {
    revision: state.journal.revision,
    isSettled: state.isSettled,
    learningMs: state.learning.remainingMs(nowMs),
    nodes,
    balancers: [...state.balancers.values()].map((balancer) => balancer.inForce()),
    remembered,
  };
}

/**
 * Changes that take a consumer from what it was told last to now. Who is gone comes before who is here, so that a route
 * may move to another node; what is forgotten comes last, when its last node has moved on.
 */
export function changesOf(state: RegistryState, dirt: FeedDirt): FeedChange[] {
  const gone: FeedChange[] = [];
  const forgotten: FeedChange[] = [];
  const told = new Set<string>();
  for (const { id, balancer, route, cause } of dirt.losses) {
    const record = state.nodes.get(id);
    if (record !== undefined && isInFeed(record.liveness)) continue;
    gone.push({ type: 'gone', id, balancer, route, cause });
    told.add(routeKey(balancer, route));
  }
  for (const { balancer, route } of dirt.routes) {
    const id = state.routes.holder(balancer, route);
    const holder = id && state.nodes.get(id);
    if (!holder?.isKnown) forgotten.push({ type: 'forgotten', balancer, route });
    else if (!isInFeed(holder.liveness) && !told.has(routeKey(balancer, route)))
      gone.push({ type: 'gone', id: holder.id, balancer, route, cause: holder.goneCause ?? 'expired' });
  }
  const changes: FeedChange[] = [];
  for (const name of dirt.balancers) {
    const balancer = state.balancers.get(name)?.inForce();
    changes.push(balancer ? { type: 'balancer', balancer } : { type: 'balancer-forgotten', name });
  }
  changes.push(...gone);
  for (const id of dirt.nodes) {
    const record = state.nodes.get(id);
    const node = record && feedNode(record, state.nowMs);
    if (node) changes.push({ type: 'node', node });
  }
  changes.push(...forgotten);
  for (const choice of dirt.forgottenContexts) changes.push({ type: 'contexts-forgotten', ...choice });
  if (dirt.isSettledChanged)
    changes.push({
      type: 'settled',
      isSettled: state.isSettled,
      learningMs: state.learning.remainingMs(state.nowMs),
    });
  return changes;
}

/** The node as the feed tells it at `nowMs`; `undefined` when it is not in the feed. */
export function feedNode(node: NodeView, nowMs: number): FeedNode | undefined {
  const { liveness, registration, inFeedSinceMs, toldAtMs } = node;
  if (!isInFeed(liveness)) return undefined;
  const { group, keepAliveMs, publicUrl, cores, readyPath } = registration;
  const hasAgent = node.kind === 'agent';
  const { redirectTo } = node.overrides;
  return {
    index: node.index,
    id: node.id,
    balancer: registration.balancer,
    url: registration.url,
    route: registration.route,
    hosts: registration.hosts,
    contexts: registration.contexts.map(({ path }) => ({ path, status: contextStatus(node, path) })),
    weight: weightOf(node),
    ...(group !== undefined && { group }),
    incarnation: registration.incarnation,
    ...(hasAgent && { instance: registration.instance }),
    liveness,
    hasAgent,
    // Of a node that is expected back it is not known: a single refusal must not count as the end of its process.
    isConnected: node.isConnected || node.livenessReason === 'expected',
    isReady: takesNew(node),
    ...(liveness === 'suspect' && { silentMs: elapsedMs(node.heardAtMs, nowMs) }),
    probe: node.probe,
    ...(node.probe === 'head' && readyPath !== undefined && { probePath: readyPath }),
    standby: isStandby(node),
    ...(node.returns.flapping !== undefined && { flapping: true }),
    ...(keepAliveMs !== undefined && { keepAliveMs }),
    ...(publicUrl !== undefined && { publicUrl }),
    ...(cores !== undefined && { cores }),
    loadHeader: registration.loadHeader,
    ...(node.reach !== undefined && { reach: node.reach }),
    ...(inFeedSinceMs !== undefined && { ageMs: elapsedMs(inFeedSinceMs, nowMs) }),
    ...(node.load !== undefined && { load: node.load }),
    ...(node.sessions !== undefined && { sessions: node.sessions }),
    ...(toldAtMs !== undefined && { loadAgeMs: elapsedMs(toldAtMs, nowMs) }),
    ...(redirectTo !== undefined && { redirectTo }),
  };
}

function elapsedMs(sinceMs: number, nowMs: number): number {
  return Math.max(0, Math.round(nowMs - sinceMs));
}
