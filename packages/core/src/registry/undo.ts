/** Puts back what a change of an operator has replaced: statuses, overrides, contexts, acknowledgements, settings of balancers. */
import type { BalancerSettings } from './balancer-settings.ts';
import type { NodeRequests, UndoCommand } from './commands.ts';
import { mergeContextRequests } from './context-requests.ts';
import type { Rejection } from './events.ts';
import { type NodeRecord, noRequestedStatus } from './node/node-record.ts';
import { applyOperatorStatus, applyOverrides, changeSettings } from './operator-commands.ts';
import { type RegistryState, rejected } from './registry-state.ts';

const PARTS = ['operatorStatus', 'overrides', 'operatorContexts', 'acknowledged'] as const;
const PART_WORDS = {
  operatorStatus: 'the requested status',
  overrides: 'the overrides',
  operatorContexts: 'the requested statuses of contexts',
  acknowledged: 'the acknowledgement',
} as const;

export function undo(state: RegistryState, command: UndoCommand): Rejection | undefined {
  const nodes: { readonly node: NodeRecord; readonly before: NodeRequests; readonly after: NodeRequests }[] = [];
  for (const { id, before, after } of command.nodes) {
    const node = state.nodes.get(id);
    if (node === undefined) return rejected('conflict', `node ${id} is no longer known`);
    const changed = PARTS.find((part) => before[part] !== after[part] && node[part] !== after[part]);
    if (changed !== undefined) {
      const { by } = node.operatorStatus;
      const who = changed === 'operatorStatus' && by !== undefined ? ` by ${by}` : '';
      return rejected('conflict', `${PART_WORDS[changed]} of node ${id} changed again since${who}`);
    }
    nodes.push({ node, before, after });
  }
  for (const { name, after } of command.balancers)
    if (!isSame(state.balancers.get(name)?.operatorPatch, after))
      return rejected('conflict', `the settings of balancer ${name} changed again since`);
  for (const { node, before, after } of nodes) undoNode(state, node, before, after, command);
  for (const { name, before } of command.balancers) {
    state.touchBalancerRecord(name);
    changeSettings(state, name, command.by, (balancer: BalancerSettings) => balancer.replace('operator', before ?? {}));
  }
  return undefined;
}

function undoNode(
  state: RegistryState,
  node: NodeRecord,
  before: NodeRequests,
  after: NodeRequests,
  { by, reason }: UndoCommand,
): void {
  const { nowMs } = state;
  if (before.operatorStatus !== after.operatorStatus) {
    const { isElsewhere: _, ...earlier } = before.operatorStatus;
    const { untilMs, deadlineAtMs } = earlier;
    // A request whose time is over would have ended by itself.
    const next = untilMs !== undefined && untilMs <= nowMs ? noRequestedStatus(nowMs) : earlier;
    applyOperatorStatus(state, node, next, {
      by,
      ...(reason !== undefined && { reason }),
      ...(next === earlier && deadlineAtMs !== undefined && { deadlineMs: Math.max(0, deadlineAtMs - nowMs) }),
      ...(next === earlier && untilMs !== undefined && { forMs: untilMs - nowMs }),
    });
  }
  if (before.overrides !== after.overrides) applyOverrides(state, node, before.overrides, by);
  if (before.operatorContexts !== after.operatorContexts)
    mergeContextRequests(state, node, before.operatorContexts, by);
  if (before.acknowledged !== after.acknowledged) {
    node.acknowledged = before.acknowledged;
    state.touchNodeRecord(node);
    state.schedule(node);
    state.emit({ type: 'patched', id: node.id, by, what: 'no longer acknowledged as missing' });
  }
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
