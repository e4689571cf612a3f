/**
 * The registry in the form of the feed, whole (`snapshotOf`) and as changes (`changesOf`).
 *
 * A consumer that applies the changes in order has the state of a snapshot, by these rules:
 *
 * - `gone` removes the node and remembers its route as not expected.
 * - `node` adds or replaces the node, and drops its route from the remembered ones.
 * - `forgotten` drops a remembered route.
 * - `context-remembered` adds a context without nodes, unless the context is known.
 * - `joining` replaces the contexts that joining nodes will serve.
 * - `settled` with no learning time left makes all remembered routes not expected.
 */
import {
  type FeedBalancer,
  type FeedChange,
  type FeedJoiningContext,
  type FeedNode,
  type FeedRememberedContext,
  type FeedRememberedRoute,
  feedContexts,
  newFeedNode,
} from '@rollcall/feed';
import type { NodeView } from '../node/node-record.ts';
import { contextsWithStatus, isEndingItself, isStandby, takesNew, weightOf } from '../node/node-record.ts';
import { isInFeed } from '../node/node-status.ts';
import { routeKey } from '../ownership/route-ownership.ts';
import type { RegistryState } from '../registry-state.ts';
import { joiningContexts } from '../views/joining-contexts.ts';
import type { FeedDirt } from './feed-journal.ts';

/** The whole content of the feed at one revision. */
export interface Snapshot {
  readonly revision: number;
  readonly isSettled: boolean;
  readonly learningMs: number;
  readonly nodes: readonly FeedNode[];
  readonly balancers: readonly FeedBalancer[];
  readonly remembered: readonly FeedRememberedRoute[];
  /** Contexts without nodes that are answered with 503. */
  readonly contexts: readonly FeedRememberedContext[];
  /** Contexts that joining nodes will serve. */
  readonly joining: readonly FeedJoiningContext[];
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
    contexts: rememberedContexts(state, nowMs),
    joining: joiningContexts(state),
  };
}

function rememberedContexts(state: RegistryState, nowMs: number): FeedRememberedContext[] {
  return state.remembered
    .all()
    .map(({ balancer, host, path, sinceMs }) => ({ balancer, host, path, emptyMs: elapsedMs(sinceMs, nowMs) }));
}

/**
 * Changes from the last delivery to the current state. Gone nodes come before present ones, so that a route may move to
 * another node. Forgotten routes come last, after their last node has taken another route.
 */
export function changesOf(state: RegistryState, dirt: FeedDirt): FeedChange[] {
  const gone: FeedChange[] = [];
  const forgotten: FeedChange[] = [];
  const reported = new Set<string>();
  for (const { id, balancer, route, cause } of dirt.losses) {
    const record = state.nodes.get(id);
    if (record !== undefined && isInFeed(record.liveness)) continue;
    gone.push({ type: 'gone', id, balancer, route, cause });
    reported.add(routeKey(balancer, route));
  }
  for (const { balancer, route } of dirt.routes) {
    const id = state.routes.holder(balancer, route);
    const holder = id && state.nodes.get(id);
    if (!holder?.isKnown) forgotten.push({ type: 'forgotten', balancer, route });
    else if (!isInFeed(holder.liveness) && !reported.has(routeKey(balancer, route)))
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
  // After those forgotten: of many choices all are forgotten.
  const restored = dirt.hasRestoredContexts ? rememberedContexts(state, state.nowMs) : [];
  for (const context of restored) changes.push({ type: 'context-remembered', context });
  if (dirt.isJoiningChanged) changes.push({ type: 'joining', contexts: joiningContexts(state) });
  if (dirt.isSettledChanged)
    changes.push({
      type: 'settled',
      isSettled: state.isSettled,
      learningMs: state.learning.remainingMs(state.nowMs),
    });
  return changes;
}

/** The node in the form of the feed at `nowMs`; `undefined` when it is not in the feed. */
export function feedNode(node: NodeView, nowMs: number): FeedNode | undefined {
  const { liveness, registration, inFeedSinceMs, toldAtMs } = node;
  if (!isInFeed(liveness)) return undefined;
  const { group, keepAliveMs, publicUrl, cores, readyPath } = registration;
  const hasAgent = node.kind === 'agent';
  return newFeedNode({
    index: node.index,
    id: node.id,
    balancer: registration.balancer,
    url: registration.url,
    route: registration.route,
    hosts: registration.hosts,
    ...feedContexts(contextsWithStatus(node)),
    stripPrefix: registration.stripPrefix,
    weight: weightOf(node),
    group,
    incarnation: registration.incarnation,
    instance: hasAgent ? registration.instance : undefined,
    liveness,
    hasAgent,
    // Unknown for a node that is expected back. True, so that a single refusal does not count as the end of its process.
    isConnected: node.isConnected || node.livenessReason === 'expected',
    isReady: takesNew(node),
    silentMs: liveness === 'suspect' ? elapsedMs(node.heardAtMs, nowMs) : undefined,
    probe: node.probe,
    probePath: node.probe === 'head' ? readyPath : undefined,
    standby: isStandby(node),
    flapping: node.returns.flapping === undefined ? undefined : true,
    keepAliveMs,
    publicUrl,
    cores,
    loadHeader: registration.loadHeader,
    reach: node.reach,
    ageMs: inFeedSinceMs === undefined ? undefined : elapsedMs(inFeedSinceMs, nowMs),
    load: node.load,
    sessions: node.sessions,
    loadAgeMs: toldAtMs === undefined ? undefined : elapsedMs(toldAtMs, nowMs),
    drainMs: drainMs(node, nowMs),
    isEndingItself: isEndingItself(node) || undefined,
    redirectTo: node.overrides.redirectTo,
  });
}

/** Time until the first deadline of a requested status of the whole node, milliseconds. */
function drainMs({ operatorStatus, nodeStatus }: NodeView, nowMs: number): number | undefined {
  let firstMs = Number.POSITIVE_INFINITY;
  for (const { status, deadlineAtMs } of [operatorStatus, nodeStatus])
    if (status !== 'enabled' && deadlineAtMs !== undefined) firstMs = Math.min(firstMs, deadlineAtMs);
  return firstMs === Number.POSITIVE_INFINITY ? undefined : Math.max(0, Math.round(firstMs - nowMs));
}

function elapsedMs(sinceMs: number, nowMs: number): number {
  return Math.max(0, Math.round(nowMs - sinceMs));
}
