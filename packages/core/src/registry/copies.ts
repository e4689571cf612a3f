/**
 * Scaling: `run --count` keeps this number of copies of a program, and its nodes announce it when they register. An operator
 * changes the number. With wrappers on several machines, this file decides which wrapper keeps one more or less. Only nodes
 * that have come up count: the number that a wrapper announces may not be reached. A node that an operator has drained or
 * stopped counts, because its program runs and the operator can enable it.
 */
import type { BalancerName, NodeId } from '@rollcall/protocol';
import type { ScaleCommand } from './commands.ts';
import type { Rejection } from './events.ts';
import { effectiveStatus, type NodeRecord, type NodeView } from './node/node-record.ts';
import { isInFeed } from './node/node-status.ts';
import { type RegistryState, rejected } from './registry-state.ts';

/** One wrapper with copies of a balancer's program. */
export interface Wrapper {
  readonly name: string;
  /** A connected node of it, through which it is informed; the first in order. */
  readonly node: NodeId;
  readonly most: number;
  /** Number of copies that it was last set to, or announced itself. */
  readonly promised: number;
  /** Number of its copies: at first the copies that have come up, in the end the copies that it has to keep. */
  kept: number;
  /** Its node with the latest sign of life, whose report of failing copies counts. */
  latest: NodeView;
}

/**
 * Sets the wrappers of a balancer to keep `count` nodes in all. Members that no wrapper keeps stay and are part of the
 * count. Wrappers stay as even as their bounds allow. Each keeps at least one copy, because a wrapper without a node could
 * not be informed. A wrapper with failing copies is informed although its number stays, so that it starts them at once.
 * Errors: `not-scalable` when no wrapper keeps copies, `conflict` for a number that cannot be reached.
 */
export function scale(state: RegistryState, { balancer, count, by, reason }: ScaleCommand): Rejection | undefined {
  const wrappers = wrappersOf(state, balancer);
  if (wrappers.length === 0)
    return rejected(
      'not-scalable',
      `no \`rollcall run\` keeps copies of balancer ${balancer}, or none of them is connected`,
    );
  const others = othersOf(state, balancer);
  const least = wrappers.length + others;
  const most = wrappers.reduce((sum, wrapper) => sum + wrapper.most, others);
  if (!(count >= least && count <= most)) {
    const who = `${wrappers.length} ${wrappers.length === 1 ? 'wrapper' : 'wrappers'}${others === 0 ? '' : ` and ${others} other nodes`}`;
    return rejected('conflict', `balancer ${balancer} has ${who}: it can have ${least} to ${most} nodes, not ${count}`);
  }
  level(wrappers, count - others);
  for (const { name, node, kept, promised, latest } of wrappers) {
    const isRepeat = kept === promised;
    if (isRepeat && latest.failing.length === 0) continue;
    keepInMind(state, balancer, name, kept);
    // Only failures after the request count for its outcome.
    for (const copy of copiesOf(state, balancer, name)) copy.failing = [];
    state.emit({
      type: 'scale',
      id: node,
      balancer,
      count: kept,
      isRepeat,
      by,
      ...(reason !== undefined && { reason }),
    });
  }
  return undefined;
}

/**
 * The nodes that may end when `scale` sets `count`. Each wrapper chooses its copies that end, so its enabled ones are assumed to end
 * first. Empty for a number that cannot be reached, or that is not smaller.
 */
export function endedByScale(state: RegistryState, balancer: BalancerName, count: number): ReadonlySet<NodeId> {
  const wrappers = wrappersOf(state, balancer);
  const keptNow = wrappers.map(({ kept }) => kept);
  const total = count - othersOf(state, balancer);
  const ended = new Set<NodeId>();
  if (total < wrappers.length || total >= keptNow.reduce((sum, kept) => sum + kept, 0)) return ended;
  level(wrappers, total);
  wrappers.forEach(({ name, kept }, i) => {
    const copies = [...copiesOf(state, balancer, name)].filter(({ liveness }) => isInFeed(liveness));
    const enabledFirst = [
      ...copies.filter((node) => effectiveStatus(node) === 'enabled'),
      ...copies.filter((node) => effectiveStatus(node) !== 'enabled'),
    ];
    for (const { id } of enabledFirst.slice(0, keptNow[i]! - kept)) ended.add(id);
  });
  return ended;
}

/** All nodes of a wrapper have the same number: the last one that the wrapper announced or an operator set. */
export function keepInMind(state: RegistryState, balancer: BalancerName, wrapper: string, kept: number): void {
  for (const node of copiesOf(state, balancer, wrapper)) {
    const { copies } = node.registration;
    if (copies !== undefined && copies.kept !== kept)
      node.registration = { ...node.registration, copies: { ...copies, kept } };
  }
}

/** The node is about to be removed: its wrapper ends the copy and keeps one less. A copy that ends by itself is not counted any more. */
export function keepOneLess(state: RegistryState, { registration, nodeStatus }: NodeView): void {
  const { balancer, copies } = registration;
  if (copies !== undefined && nodeStatus.status === 'enabled')
    keepInMind(state, balancer, copies.wrapper, Math.max(1, copies.kept - 1));
}

/** The nodes of a wrapper that are not gone; none of a wrapper of another token than that of the balancer's first node. */
export function* copiesOf(state: RegistryState, balancer: BalancerName, wrapper: string): Iterable<NodeRecord> {
  for (const node of state.nodes.inBalancer(balancer))
    if (node.registration.copies?.wrapper === wrapper && node.liveness !== 'gone' && isOfFirst(state, node)) yield node;
}

/** Moves one copy at a time: the wrapper with the fewest gets one more, the one with the most one less. */
function level(wrappers: readonly Wrapper[], total: number): void {
  let sum = wrappers.reduce((kept, wrapper) => kept + wrapper.kept, 0);
  for (; sum < total; sum++) {
    const free = wrappers.filter(({ kept, most }) => kept < most);
    free.reduce((least, wrapper) => (wrapper.kept < least.kept ? wrapper : least)).kept += 1;
  }
  for (; sum > total; sum--) wrappers.reduce((most, wrapper) => (wrapper.kept > most.kept ? wrapper : most)).kept -= 1;
}

/** The connected wrappers of the token of the balancer's first node. */
export function wrappersOf(state: RegistryState, balancer: BalancerName): Wrapper[] {
  const wrappers = new Map<string, Wrapper>();
  for (const node of state.nodes.inBalancer(balancer)) {
    const { copies } = node.registration;
    if (copies === undefined || !node.isConnected || !isOfFirst(state, node)) continue;
    const { wrapper: name, kept: promised, most } = copies;
    const wrapper = wrappers.get(name) ?? { name, node: node.id, most, promised, kept: 0, latest: node };
    wrappers.set(name, wrapper);
    if (node.heardAtMs > wrapper.latest.heardAtMs) wrapper.latest = node;
    if (isInFeed(node.liveness)) wrapper.kept += 1;
  }
  for (const wrapper of wrappers.values()) wrapper.kept = Math.min(wrapper.most, Math.max(1, wrapper.kept));
  return [...wrappers.values()];
}

/** Whether the node belongs to the token of the balancer's first node: wrappers of others do not take part. */
export function isOfFirst({ balancers }: RegistryState, { owner, registration }: NodeView): boolean {
  return balancers.get(registration.balancer)?.owner === owner;
}

/** Nodes that have come up and that no wrapper of the first token keeps. */
export function othersOf(state: RegistryState, balancer: BalancerName): number {
  let others = 0;
  for (const node of state.nodes.inBalancer(balancer))
    if (isInFeed(node.liveness) && (node.registration.copies === undefined || !isOfFirst(state, node))) others++;
  return others;
}
