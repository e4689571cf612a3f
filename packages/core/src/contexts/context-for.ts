/** The context of a request among few contexts, without a table. */
import { canonicalHost, type HostPattern } from '@rollcall/protocol';
import type { HostedContext } from './hosted-context.ts';
import { isUnder } from './path-match.ts';

/**
 * The best of `contexts` for a request, by the order of hosts and paths in `ContextTable`; `undefined` if none matches. `host`:
 * of the request, with or without a port.
 */
export function contextFor<Context extends HostedContext>(
  contexts: Iterable<Context>,
  { host: authority, target }: { readonly host: string; readonly target: string },
): Context | undefined {
  const host = canonicalHost(authority.replace(/:\d*$/, ''));
  let best: Context | undefined;
  for (const context of contexts)
    if (isHostIn(context.host, host) && isUnder(context.path, target) && isBetter(context, best)) best = context;
  return best;
}

function isHostIn(pattern: HostPattern, host: string): boolean {
  return pattern === '*' || pattern === host || (pattern.startsWith('*.') && host.endsWith(pattern.slice(1)));
}

function isBetter(one: HostedContext, other: HostedContext | undefined): boolean {
  if (other === undefined) return true;
  return rank(one.host) - rank(other.host) > 0 || (one.host === other.host && one.path.length > other.path.length);
}

/** An exact host before the longest suffix, and that before `*`. */
function rank(host: HostPattern): number {
  if (host === '*') return 0;
  return host.startsWith('*.') ? host.length : Number.POSITIVE_INFINITY;
}
