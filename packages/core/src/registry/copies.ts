/**
 * Scaling: `run --count` keeps so many copies of a program, and says so when its nodes register. An operator changes the
 * number; which wrapper keeps one more or less, when several machines run one, is decided here. Nodes count that have come up: what a
 * wrapper announces is a promise.
 */
import type { BalancerName, NodeId } from '@rollcall/protocol';
import type { ScaleCommand } from './commands.ts';
import type { Rejection } from './events.ts';
import type { NodeView } from './node-record.ts';
import { isInFeed } from './node-status.ts';
import { type RegistryState, rejected } from './registry-state.ts';

/** One wrapper with copies of a balancer's program. */
interface Wrapper {
  readonly name: string;
  /** A node of it that is connected, to tell it by; the first in order. */
  readonly node: NodeId;
  readonly most: number;
  /** What it was told last, or said itself. */
  readonly promised: number;
  /** Copies of it that have come up, at first; what it shall keep, in the end. */
  kept: number;
}

/**
 * Tells the wrappers of a balancer to keep `count` nodes in all. Members that no wrapper keeps stay and are part of the
 * count. Wrappers stay as even as their bounds allow; each keeps at least one copy, because one without could not be told
 * to keep more. Errors: `not-scalable` when nobody keeps copies, `conflict` for a number that cannot be had.
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
  for (const { name, node, kept, promised } of wrappers) {
    if (kept === promised) continue;
    keepInMind(state, balancer, name, kept);
    state.emit({ type: 'scale', id: node, balancer, count: kept, by, ...(reason !== undefined && { reason }) });
  }
  return undefined;
}

/** All nodes of a wrapper say the same of it: what was told last, by it or by an operator. */
export function keepInMind(state: RegistryState, balancer: BalancerName, wrapper: string, kept: number): void {
  for (const node of state.nodes.inBalancer(balancer)) {
    const { copies } = node.registration;
    if (copies?.wrapper === wrapper && copies.kept !== kept && isOfFirst(state, node))
      node.registration = { ...node.registration, copies: { ...copies, kept } };
  }
}

/** One copy at a time: the wrapper with the fewest gets one more, the one with the most one less. */
function level(wrappers: readonly Wrapper[], total: number): void {
  let sum = wrappers.reduce((kept, wrapper) => kept + wrapper.kept, 0);
  for (; sum < total; sum++) {
    const free = wrappers.filter(({ kept, most }) => kept < most);
    free.reduce((least, wrapper) => (wrapper.kept < least.kept ? wrapper : least)).kept += 1;
  }
  for (; sum > total; sum--) wrappers.reduce((most, wrapper) => (wrapper.kept > most.kept ? wrapper : most)).kept -= 1;
}

function wrappersOf(state: RegistryState, balancer: BalancerName): Wrapper[] {
  const wrappers = new Map<string, Wrapper>();
  for (const node of state.nodes.inBalancer(balancer)) {
    const { copies } = node.registration;
    if (copies === undefined || !node.isConnected || !isOfFirst(state, node)) continue;
    const { wrapper: name, kept: promised, most } = copies;
    const wrapper = wrappers.get(name) ?? { name, node: node.id, most, promised, kept: 0 };
    wrappers.set(name, wrapper);
    if (isInFeed(node.liveness)) wrapper.kept += 1;
  }
  for (const wrapper of wrappers.values()) wrapper.kept = Math.min(wrapper.most, Math.max(1, wrapper.kept));
  return [...wrappers.values()];
}

/** Whether the node belongs to the token of the balancer's first node: wrappers of others do not take part. */
function isOfFirst({ balancers }: RegistryState, { owner, registration }: NodeView): boolean {
  return balancers.get(registration.balancer)?.owner === owner;
}

/** Nodes that have come up and that no wrapper of the first token keeps. */
function othersOf(state: RegistryState, balancer: BalancerName): number {
  let others = 0;
  for (const node of state.nodes.inBalancer(balancer))
    if (isInFeed(node.liveness) && (node.registration.copies === undefined || !isOfFirst(state, node))) others++;
  return others;
}
