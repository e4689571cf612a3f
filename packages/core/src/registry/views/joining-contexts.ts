/** Contexts that joining nodes will serve. The feed has no joining nodes; it has these contexts, so that workers can name them. */
import { type FeedJoiningContext, MAX_JOINING_CHARS, MAX_JOINING_CONTEXTS } from '@rollcall/feed';
import { canonicalHost, type HostPattern } from '@rollcall/protocol';
import { isUnder } from '../../contexts/path-match.ts';
import type { RegistryState } from '../registry-state.ts';
import { inWords } from './node-resource.ts';

/** In the order in which the nodes began to join; the first ones, up to the bound of the feed. */
export function joiningContexts(state: RegistryState): FeedJoiningContext[] {
  const found: FeedJoiningContext[] = [];
  for (const node of state.nodes.joining) {
    const { balancer, hosts, contexts } = node.registration;
    const reason = node.livenessReason === undefined ? '' : `: ${inWords(node, node.livenessReason, state.nowMs)}`;
    for (const host of hosts)
      for (const { path } of contexts) {
        if (found.length === MAX_JOINING_CONTEXTS) return found;
        const on = host === '*' ? '' : ` on ${host}`;
        const message = `context ${path}${on} of balancer ${balancer} waits for node ${node.id}, which is joining${reason}`;
        found.push({ host, path, message: message.slice(0, MAX_JOINING_CHARS) });
      }
  }
  return found;
}

/**
 * The best of `contexts` for a request, by the order of hosts and paths in `ContextTable`; `undefined` if none matches. `host`:
 * of the request, with or without a port.
 */
export function joiningContext(
  contexts: readonly FeedJoiningContext[],
  { host: authority, target }: { readonly host: string; readonly target: string },
): FeedJoiningContext | undefined {
  const host = canonicalHost(authority.replace(/:\d*$/, ''));
  let best: FeedJoiningContext | undefined;
  for (const context of contexts)
    if (isHostIn(context.host, host) && isUnder(context.path, target) && isBetter(context, best)) best = context;
  return best;
}

function isHostIn(pattern: HostPattern, host: string): boolean {
  return pattern === '*' || pattern === host || (pattern.startsWith('*.') && host.endsWith(pattern.slice(1)));
}

function isBetter(one: FeedJoiningContext, other: FeedJoiningContext | undefined): boolean {
  if (other === undefined) return true;
  return rank(one.host) - rank(other.host) > 0 || (one.host === other.host && one.path.length > other.path.length);
}

/** An exact host before the longest suffix, and that before `*`. */
function rank(host: HostPattern): number {
  if (host === '*') return 0;
  return host.startsWith('*.') ? host.length : Number.POSITIVE_INFINITY;
}
