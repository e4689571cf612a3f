/** Numbers of nodes by balancer. */
import type { BalancerName } from '@rollcall/protocol';
import { hostedContexts } from '../../contexts/hosted-context.ts';
import { canServe } from '../../liveness/unserved.ts';
import { isMissing, type NodeView } from '../node/node-record.ts';
import type { RegistryState } from '../registry-state.ts';
import { factsOf } from './unserved-contexts.ts';

export interface BalancerCounts {
  /** Nodes that are not gone. */
  present: number;
  /** Nodes that are up and that no worker has given up. */
  up: number;
  /** Nodes that may take new sessions of one of their contexts. */
  eligible: number;
  /** Missing nodes that no operator has acknowledged. */
  missing: number;
}

export function balancerCounts(state: RegistryState): ReadonlyMap<BalancerName, BalancerCounts> {
  const counts = new Map<BalancerName, BalancerCounts>();
  for (const node of state.nodes.all()) {
    const { balancer } = node.registration;
    let count = counts.get(balancer);
    if (count === undefined) {
      count = { present: 0, up: 0, eligible: 0, missing: 0 };
      counts.set(balancer, count);
    }
    if (node.liveness !== 'gone') {
      count.present += 1;
      if (node.liveness === 'up' && !state.ports.isGivenUp(node.id)) count.up += 1;
      if (isEligible(state, node)) count.eligible += 1;
    } else if (isMissing(node) && node.acknowledged === undefined) count.missing += 1;
  }
  return counts;
}

function isEligible(state: RegistryState, node: NodeView): boolean {
  for (const context of hostedContexts(node.registration)) if (canServe(factsOf(state, node, context))) return true;
  return false;
}
