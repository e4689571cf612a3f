/** Contexts that wait for a joining node. The feed has no joining nodes, so that workers do not know these contexts. */
import { type ContextPath, canonicalHost, type HostPattern } from '@rollcall/protocol';
import { isUnder } from '../../contexts/path-match.ts';
import type { NodeView } from '../node/node-record.ts';
import type { RegistryState } from '../registry-state.ts';
import { inWords, type Now } from './node-resource.ts';

/** A context that a request would have if a joining node were up. */
export interface WaitingContext {
  readonly path: ContextPath;
  /** One sentence: context, node, and why it is joining. */
  readonly message: string;
}

/** The best context of joining nodes for a request, by the order of hosts and paths in `ContextTable`; `undefined` without one. */
export function waitingContext(
  state: RegistryState,
  { host: authority, target }: { readonly host: string; readonly target: string },
  now: Now,
): WaitingContext | undefined {
  const host = canonicalHost(authority.replace(/:\d*$/, ''));
  let best: { node: NodeView; host: HostPattern; path: ContextPath } | undefined;
  for (const node of state.nodes.all()) {
    if (node.liveness !== 'joining') continue;
    const { hosts, contexts } = node.registration;
    for (const pattern of hosts)
      for (const { path } of contexts)
        if (isHostIn(pattern, host) && isUnder(path, target) && isBetter({ host: pattern, path }, best))
          best = { node, host: pattern, path };
  }
  if (best === undefined) return undefined;
  const { node, path } = best;
  const on = best.host === '*' ? '' : ` on ${best.host}`;
  const why = node.livenessReason === undefined ? '' : `: ${inWords(node, node.livenessReason, now)}`;
  const message = `context ${path}${on} of balancer ${node.registration.balancer} waits for node ${node.id}, which is joining${why}`;
  return { path, message };
}

function isHostIn(pattern: HostPattern, host: string): boolean {
  return pattern === '*' || pattern === host || (pattern.startsWith('*.') && host.endsWith(pattern.slice(1)));
}

function isBetter(
  one: { readonly host: HostPattern; readonly path: ContextPath },
  other: { readonly host: HostPattern; readonly path: ContextPath } | undefined,
): boolean {
  if (other === undefined) return true;
  return rank(one.host) - rank(other.host) > 0 || (one.host === other.host && one.path.length > other.path.length);
}

/** An exact host before the longest suffix, and that before `*`. */
function rank(host: HostPattern): number {
  if (host === '*') return 0;
  return host.startsWith('*.') ? host.length : Number.POSITIVE_INFINITY;
}
