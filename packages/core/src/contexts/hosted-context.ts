import type { BalancerName, ContextPath, HostPattern } from '@rollcall/protocol';

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

/** Key of a context in maps. */
export function contextKey({ host, path }: HostedContext): string {
  return `${host} ${path}`;
}
