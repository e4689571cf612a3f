/**
 * Contexts that have lost their last node. For ten minutes the proxy answers 503 there, instead of forwarding to an enclosing context. Only
 * contexts with a node that had been up are kept, 1,000 at most. Above it the balancer with the most of them loses its oldest. They are
 * stored, so that a restart of the coordinator does not change which node answers there.
 */
import type { BalancerName, ContextPath, HostPattern } from '@rollcall/protocol';
import { EMPTY_CONTEXT_MS, MAX_EMPTY_CONTEXTS } from '../../contexts/context-table.ts';
import { contextKey, type HostedContext, type RememberedContext } from '../../contexts/hosted-context.ts';

/** The remembered contexts that an operator chooses. Without a path: all; without a host: contexts of every host. */
export interface ContextChoice {
  readonly path?: ContextPath;
  readonly host?: HostPattern;
}

export class RememberedContexts {
  /** In order of `sinceMs`. */
  #contexts = new Map<string, RememberedContext>();
  /** Forgotten by an operator although nodes that served them are still remembered; the oldest are dropped first. */
  readonly #forgotten = new Map<string, HostedContext>();

  readonly #onChange: (context: HostedContext) => void;

  /** `onChange`: the context is remembered, forgotten or dropped now, so that its record is written or removed. */
  constructor(onChange: (context: HostedContext) => void = () => {}) {
    this.#onChange = onChange;
  }

  get(context: HostedContext): RememberedContext | undefined {
    return this.#contexts.get(contextKey(context));
  }

  all(): RememberedContext[] {
    return [...this.#contexts.values()];
  }

  add(context: RememberedContext): void {
    const key = contextKey(context);
    this.#contexts.delete(key);
    this.#contexts.set(key, context);
    this.#onChange(context);
    this.#dropSurplus();
  }

  /** In no order. */
  forgotten(): HostedContext[] {
    return [...this.#forgotten.values()];
  }

  /** The same for contexts of another coordinator, whose state replaces the own one. `dropped`: contexts that nodes serve there. */
  merge(
    contexts: readonly RememberedContext[],
    forgotten: readonly HostedContext[],
    dropped: readonly HostedContext[],
  ): void {
    for (const place of [...forgotten, ...dropped]) this.#contexts.delete(contextKey(place));
    for (const place of [...contexts, ...dropped]) this.#forgotten.delete(contextKey(place));
    for (const place of contexts) this.#contexts.delete(contextKey(place));
    this.restore(contexts, forgotten);
    for (const place of [...contexts, ...forgotten, ...dropped]) this.#onChange(place);
  }

  /** Adds contexts from the store, remembered and forgotten ones. */
  restore(contexts: readonly RememberedContext[], forgotten: readonly HostedContext[]): void {
    const all = [...contexts.filter((context) => !this.#contexts.has(contextKey(context))), ...this.#contexts.values()];
    all.sort((one, other) => one.sinceMs - other.sinceMs);
    this.#contexts = new Map(all.map((context) => [contextKey(context), context]));
    for (const place of forgotten) this.#forgotten.set(contextKey(place), place);
    this.#dropSurplus();
  }

  #dropSurplus(): void {
    while (this.#contexts.size > MAX_EMPTY_CONTEXTS) this.#drop(leastWorth(this.#contexts.values()));
    for (const [key, place] of this.#forgotten) {
      if (this.#forgotten.size <= MAX_EMPTY_CONTEXTS) break;
      this.#forgotten.delete(key);
      this.#onChange(place);
    }
  }

  #drop(context: HostedContext): void {
    if (this.#contexts.delete(contextKey(context))) this.#onChange(context);
  }

  /** Removes a context that a node serves again. */
  served(context: HostedContext): void {
    this.#drop(context);
    if (this.#forgotten.delete(contextKey(context))) this.#onChange(context);
  }

  /** Drops contexts that have been without a node for ten minutes. */
  expire(nowMs: number): void {
    for (const context of this.#contexts.values()) {
      if (nowMs - context.sinceMs < EMPTY_CONTEXT_MS) return;
      this.#drop(context);
    }
  }

  /** Records the chosen contexts as forgotten, also of `others`: contexts that only remembered nodes have served. Returns them. */
  forget(choice: ContextChoice, others: readonly HostedContext[]): HostedContext[] {
    const chosen = [...this.#contexts.values(), ...others].filter((context) => isChosen(context, choice));
    for (const { host, path } of chosen) {
      this.#contexts.delete(contextKey({ host, path }));
      this.#forgotten.set(contextKey({ host, path }), { host, path });
      this.#onChange({ host, path });
    }
    this.#dropSurplus();
    return chosen;
  }

  isForgotten(context: HostedContext): boolean {
    return this.#forgotten.has(contextKey(context));
  }
}

export function isChosen({ host, path }: HostedContext, choice: ContextChoice): boolean {
  return (choice.path === undefined || choice.path === path) && (choice.host === undefined || choice.host === host);
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
