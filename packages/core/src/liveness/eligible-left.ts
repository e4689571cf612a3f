/** Whether a change leaves enough nodes for the new sessions of a context. A disruption budget is a larger minimum. */
import type { NodeId } from '@rollcall/protocol';
import { canServe, type NodeFacts } from './unserved.ts';

/** Smallest number of eligible nodes that a change of an operator leaves without being forced. */
export const MIN_ELIGIBLE = 1;

/**
 * True when fewer than `minimum` of `nodes`, those of one context, are eligible once the nodes in `lost` are not. False when `lost` has
 * no eligible node of the context: then the change takes nothing from it.
 */
export function leavesTooFew(
  nodes: Iterable<NodeFacts>,
  lost: ReadonlySet<NodeId>,
  minimum: number = MIN_ELIGIBLE,
): boolean {
  let [left, taken] = [0, 0];
  for (const node of nodes) {
    if (!canServe(node)) continue;
    if (lost.has(node.id)) taken++;
    else left++;
  }
  return taken > 0 && left < minimum;
}
