import type { BalancerName, ContextEntry, ContextPath, HostPattern } from '@rollcall/protocol';

/** A context on a host. */
export interface HostedContext {
  readonly host: HostPattern;
  readonly path: ContextPath;
}

/** A context that has lost its last node. */
export interface RememberedContext extends HostedContext {
  readonly balancer: BalancerName;
  /** Instant at which its last node left. */
  readonly sinceMs: number;
}

/** The hosts and contexts of a node, in a registration or in the feed. */
export interface Places<Context extends ContextEntry = ContextEntry> {
  /** Hosts of the contexts without hosts of their own. */
  readonly hosts: readonly HostPattern[];
  readonly contexts: readonly Context[];
}

/** A context on a host, with its entry at the node. */
export interface EnteredContext<Context extends ContextEntry> extends HostedContext {
  readonly entry: Context;
}

/** Each context of a node on each of its hosts. */
export function* hostedContexts<Context extends ContextEntry>({
  hosts,
  contexts,
}: Places<Context>): Generator<EnteredContext<Context>, void> {
  for (const entry of contexts) for (const host of entry.hosts ?? hosts) yield { host, path: entry.path, entry };
}

/** Number of `hostedContexts`. */
export function placesOf({ hosts, contexts }: Places): number {
  return contexts.reduce((sum, { hosts: own = hosts }) => sum + own.length, 0);
}

/** Hosts on which a node serves any context. */
export function hostsOf({ hosts, contexts }: Places): ReadonlySet<HostPattern> {
  return new Set(contexts.flatMap(({ hosts: own = hosts }) => own));
}

/** Key of a context in maps. */
export function contextKey({ host, path }: HostedContext): string {
  return `${host} ${path}`;
}
