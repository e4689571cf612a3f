/**
 * Copies that a wrapper keeps and that do not come up. Each node of the wrapper reports them with its heartbeats, so they are
 * known while any of its nodes is up. Only wrappers of the token that keeps the balancer's copies are believed.
 */
import type { BalancerName, CopiesResource, FailingCopy, FailingCopyResource } from '@rollcall/protocol';
import { MAX_FAILING_COPIES } from '@rollcall/protocol';
import { copiesOf, isOfFirst, othersOf, type Wrapper, wrappersOf } from './copies.ts';
import type { NodeRecord } from './node/node-record.ts';
import { effectiveStatus, NOTHING_FAILING } from './node/node-record.ts';
import type { RegistryState } from './registry-state.ts';

/** Least time between two events about one wrapper, milliseconds: its causes are free text and may change with each attempt. */
const EVENT_GAP_MS = 10_000;

/** Takes the report of a heartbeat. Each cause is one event for the wrapper, until it reports no failing copy. */
export function takeFailing(
  state: RegistryState,
  node: NodeRecord,
  failing: readonly FailingCopy[] = NOTHING_FAILING.failing,
): void {
  const { balancer, copies } = node.registration;
  if (copies === undefined || !isOfFirst(state, node)) return;
  node.failing = failing;
  if (failing.length === 0) {
    node.announcedCauses = NOTHING_FAILING.announcedCauses;
    return;
  }
  if (failing.every(({ cause }) => node.announcedCauses.has(cause))) return;
  if (state.nowMs - node.announcedAtMs < EVENT_GAP_MS) return;
  const announced = new Set<string>();
  let announcedAtMs = Number.NEGATIVE_INFINITY;
  for (const peer of copiesOf(state, balancer, copies.wrapper)) {
    for (const cause of peer.announcedCauses) announced.add(cause);
    announcedAtMs = Math.max(announcedAtMs, peer.announcedAtMs);
  }
  const news = failing.filter(({ cause }) => !announced.has(cause));
  if (news.length > 0 && state.nowMs - announcedAtMs < EVENT_GAP_MS) {
    node.announcedAtMs = announcedAtMs;
    return;
  }
  node.announcedCauses = new Set(failing.map(({ cause }) => cause));
  node.announcedAtMs = state.nowMs;
  if (news.length > 0) state.emit({ type: 'copies-failing', id: node.id, balancer, failing: news });
}

/** `undefined` when no connected wrapper keeps copies of the balancer. */
export function copiesResource(state: RegistryState, balancer: BalancerName): CopiesResource | undefined {
  const wrappers = wrappersOf(state, balancer);
  if (wrappers.length === 0) return undefined;
  const counts = { up: 0, drained: 0 };
  for (const node of state.nodes.inBalancer(balancer)) {
    if (node.liveness !== 'up') continue;
    if (effectiveStatus(node) === 'enabled') counts.up += 1;
    else if (node.nodeStatus.status === 'enabled') counts.drained += 1;
  }
  const kept = wrappers.reduce((sum, { promised }) => sum + promised, 0);
  return {
    wanted: kept + othersOf(state, balancer),
    kept,
    wrappers: wrappers.length,
    ...counts,
    failing: wrappers.flatMap(failingOf).sort(inOrder).slice(0, MAX_FAILING_COPIES),
  };
}

function failingOf({ latest: { failing, registration } }: Wrapper): FailingCopyResource[] {
  const host = registration.process?.host;
  return failing.map((copy) => ({ ...copy, ...(host !== undefined && { host }) }));
}

function inOrder(one: FailingCopyResource, other: FailingCopyResource): number {
  const [host = '', otherHost = ''] = [one.host, other.host];
  return host === otherHost ? one.copy - other.copy : host < otherHost ? -1 : 1;
}
