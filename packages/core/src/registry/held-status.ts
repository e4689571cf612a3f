/**
 * Requests of nodes to drain or stop that are held while the node is needed for the budget of its balancer. A hold always ends: nodes that end
 * at the same time hold each other only until their times are over.
 *
 * The default budget holds a node only while another one is about to come up. A node that is ended alone, as in development, ends at once.
 */
import type { NodeStatusCommand } from './commands.ts';
import { effectiveStatus, type NodeRecord, type NodeView } from './node/node-record.ts';
import type { RegistryState } from './registry-state.ts';
import { type BrokenBudget, brokenBudgets } from './views/unserved-contexts.ts';

/** Holds the request if the node is needed. Returns whether it is held; otherwise an earlier hold ends. */
export function holdStatus(state: RegistryState, node: NodeRecord, command: NodeStatusCommand): boolean {
  const { status, reason, deadlineMs, holdMs = 0, contexts, places } = command;
  const isWhole = contexts === undefined && places === undefined;
  const need =
    status !== 'enabled' && isWhole && holdMs > 0 && node.nodeStatus.status === 'enabled'
      ? neededFor(state, node)
      : undefined;
  if (need === undefined || status === 'enabled') {
    endHold(state, node);
    return false;
  }
  node.heldStatus = { status, reason, deadlineMs, untilMs: state.nowMs + holdMs };
  state.holding.add(node);
  state.schedule(node);
  tell(state, node, need, holdMs);
  return true;
}

/** The held requests whose time is over, or that are not needed any more. Their holds have ended. */
export function releasedStatuses(
  state: RegistryState,
): { readonly node: NodeRecord; readonly command: NodeStatusCommand }[] {
  const released: { node: NodeRecord; command: NodeStatusCommand }[] = [];
  for (const node of [...state.holding]) {
    const { heldStatus } = node;
    if (heldStatus === undefined) continue;
    const need = neededFor(state, node);
    if (need !== undefined && state.nowMs < heldStatus.untilMs) continue;
    const { status, reason, deadlineMs } = heldStatus;
    endHold(state, node);
    tell(state, node, need, 0);
    const command = { type: 'node-status', id: node.id, connection: node.connection, status } as const;
    const optional = { ...(reason !== undefined && { reason }), ...(deadlineMs !== undefined && { deadlineMs }) };
    released.push({ node, command: { ...command, ...optional } });
  }
  return released;
}

export function endHold(state: RegistryState, node: NodeRecord): void {
  node.heldStatus = undefined;
  state.holding.delete(node);
}

/** The budget that the end of the node breaks, the tightest one; `undefined`: the node is not needed, or nothing is worth waiting for. */
function neededFor(state: RegistryState, node: NodeView): BrokenBudget | undefined {
  const [first, ...others] = brokenBudgets(state, { lost: new Set([node.id]) });
  if (first === undefined) return undefined;
  const { balancer } = node.registration;
  if (!state.balancer(balancer).hasBudget && !isOtherComing(state, node)) return undefined;
  return others.reduce((least, one) => (one.after < least.after ? one : least), first);
}

function isOtherComing(state: RegistryState, { id, registration }: NodeView): boolean {
  for (const other of state.nodes.inBalancer(registration.balancer))
    if (other.id !== id && (other.liveness === 'joining' || other.liveness === 'suspect'))
      if (effectiveStatus(other) === 'enabled') return true;
  return false;
}

function tell(
  state: RegistryState,
  { id, registration: { balancer } }: NodeView,
  need: BrokenBudget | undefined,
  holdMs: number,
): void {
  const { minEligible } = state.balancer(balancer);
  const eligible = need?.after ?? minEligible;
  state.emit({ type: 'budget', id, balancer, isOn: holdMs > 0, holdMs, eligible, minEligible });
}
