/** Contexts that joining nodes will serve. The feed has no joining nodes; it has these contexts, so that workers can name them. */
import { type FeedJoiningContext, MAX_JOINING_CHARS, MAX_JOINING_CONTEXTS } from '@rollcall/feed';
import { hostedContexts } from '../../contexts/hosted-context.ts';
import type { RegistryState } from '../registry-state.ts';
import { inWords } from './node-resource.ts';

/** In the order in which the nodes began to join; the first ones, up to the bound of the feed. */
export function joiningContexts(state: RegistryState): FeedJoiningContext[] {
  const found: FeedJoiningContext[] = [];
  for (const node of state.nodes.joining) {
    const { balancer } = node.registration;
    const reason = node.livenessReason === undefined ? '' : `: ${inWords(node, node.livenessReason, state.nowMs)}`;
    for (const { host, path } of hostedContexts(node.registration)) {
      if (found.length === MAX_JOINING_CONTEXTS) return found;
      const on = host === '*' ? '' : ` on ${host}`;
      const message = `context ${path}${on} of balancer ${balancer} waits for node ${node.id}, which is joining${reason}`;
      found.push({ host, path, message: message.slice(0, MAX_JOINING_CHARS) });
    }
  }
  return found;
}
