/** The warnings about one node. Each is computed from the present state, so that it ends with its cause. */
import type { Fault } from '@rollcall/protocol';
import { hintWarning } from '../balancer-settings.ts';
import type { NodeView } from '../node/node-record.ts';
import { weightWarning } from '../node/weight-bounds.ts';
import type { RegistryState } from '../registry-state.ts';

export function nodeWarnings(state: RegistryState, node: NodeView): Fault[] {
  return [settingsWarning(state, node), node.addressFault, weightWarning(node)].filter((one) => one !== undefined);
}

/** The warning for a node that registered other sticky settings than those in force. */
export function settingsWarning({ balancers }: RegistryState, { registration }: NodeView): Fault | undefined {
  const { balancer, sticky } = registration;
  const settings = sticky && balancers.get(balancer)?.inForce();
  return settings && hintWarning(sticky, settings);
}
