/**
 * Contexts that have lost their last node. For ten minutes the proxy answers 503 there, instead of forwarding to an enclosing context. Only
 * contexts with a node that had been up are kept, 1,000 at most. Above it the balancer with the most of them loses its oldest.
 */
import type { BalancerName, ContextPath, HostPattern } from '@rollcall/protocol';
import { EMPTY_CONTEXT_MS, MAX_EMPTY_CONTEXTS } from '../../contexts/context-table.ts';

export interface RememberedContext {
  readonly host: HostPattern;
  readonly path: ContextPath;
  readonly balancer: BalancerName;
  /** Instant at which its last node left. */
  readonly sinceMs: number;
}

/** The remembered contexts that an operator chooses. Without a path: all; without a host: contexts of every host. */
export interface ContextChoice {
  readonly path?: ContextPath;
  readonly host?: HostPattern;
}

export class RememberedContexts {
  /** In order of `sinceMs`. */
  readonly #contexts = new Map<string, RememberedContext>();
  /** Forgotten by an operator although nodes that served them are still remembered; the oldest are dropped first. */
  readonly #forgotten = new Set<string>();

  all(): RememberedContext[] {
    return [...this.#contexts.values()];
  }

  add(context: RememberedContext): void {
    const key = keyOf(context);
    this.#contexts.delete(key);
    this.#contexts.set(key, context);
    if (this.#contexts.size > MAX_EMPTY_CONTEXTS) this.#contexts.delete(keyOf(leastWorth(this.#contexts.values())));
  }

  /** Removes a context that a node serves again. */
  served(context: { readonly host: HostPattern; readonly path: ContextPath }): void {
    this.#contexts.delete(keyOf(context));
    this.#forgotten.delete(keyOf(context));
  }

  /** Drops contexts that have been without a node for ten minutes. */
  expire(nowMs: number): void {
    for (const [key, { sinceMs }] of this.#contexts) {
      if (nowMs - sinceMs < EMPTY_CONTEXT_MS) return;
      this.#contexts.delete(key);
    }
  }

  /** Drops the chosen contexts, and records `others` as forgotten, too: contexts that only remembered nodes have served. */
  forget(
    choice: ContextChoice,
    others: readonly { readonly host: HostPattern; readonly path: ContextPath }[],
  ): RememberedContext[] {
    const dropped = this.all().filter((context) => isChosen(context, choice));
    for (const context of dropped) this.#contexts.delete(keyOf(context));
    for (const context of others) if (isChosen(context, choice)) this.#forgotten.add(keyOf(context));
    for (const key of this.#forgotten) {
      if (this.#forgotten.size <= MAX_EMPTY_CONTEXTS) break;
      this.#forgotten.delete(key);
    }
    return dropped;
  }

  isForgotten(context: { readonly host: HostPattern; readonly path: ContextPath }): boolean {
    return this.#forgotten.has(keyOf(context));
  }
}

export function isChosen(
  { host, path }: { readonly host: HostPattern; readonly path: ContextPath },
  choice: ContextChoice,
): boolean {
  return (choice.path === undefined || choice.path === path) && (choice.host === undefined || choice.host === host);
}

function keyOf({ host, path }: { readonly host: HostPattern; readonly path: ContextPath }): string {
  return `${host} ${path}`;
}

/** The oldest context of the balancer with the most: one balancer cannot displace the contexts of others. */
export function leastWorth<C extends { readonly balancer: BalancerName }>(contexts: Iterable<C>): C {
  const firsts = new Map<BalancerName, { readonly first: C; count: number }>();
  for (const context of contexts) {
    const known = firsts.get(context.balancer);
    if (known) known.count += 1;
    else firsts.set(context.balancer, { first: context, count: 1 });
  }
  return [...firsts.values()].reduce((most, one) => (one.count > most.count ? one : most)).first;
}
