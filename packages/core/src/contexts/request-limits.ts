/**
 * Time limits of requests: of the proxy, of a balancer, and of path prefixes within it, compiled to one object per scope. Built
 * when settings change. A request keeps the object that it got, so a later change does not affect it.
 */
import type { ExplainedLimit } from '@rollcall/feed';
import { type BalancerLimits, TIME_LIMIT_KEYS, type TimeLimitKey } from '@rollcall/protocol';
import { isUnder } from './path-match.ts';

/** Milliseconds by limit; `Infinity` for no limit. */
export type RequestLimits = { readonly [Key in TimeLimitKey]: number };

interface Scope {
  readonly path: string;
  readonly limits: RequestLimits;
}

export class LimitTable {
  readonly #settings: BalancerLimits;
  readonly #base: RequestLimits;
  /** Longest path first; empty for most balancers. */
  readonly #paths: readonly Scope[];

  /** `proxy` itself is the result for a balancer without limits. */
  constructor(proxy: RequestLimits, settings: BalancerLimits = {}) {
    this.#settings = settings;
    this.#base = narrowed(proxy, settings);
    this.#paths = Object.entries(settings.paths ?? {})
      .map(([path, limits]) => ({ path, limits: narrowed(this.#base, limits) }))
      .sort((one, other) => other.path.length - one.path.length);
  }

  /**
   * The limits of a request with this target, as received: those of the longest path prefix. A prefix ends at `/`, `;`, `?` or the
   * end of the target. Limits that are not set for the path are those of the balancer, and then those of the proxy. A shorter prefix
   * is not considered.
   */
  of(target: string): RequestLimits {
    return this.#scopeOf(target)?.limits ?? this.#base;
  }

  /** The same limits in the order of `TIME_LIMIT_KEYS`, each with its origin. For `explain`. */
  explain(target: string): ExplainedLimit[] {
    const scope = this.#scopeOf(target);
    const limits = scope?.limits ?? this.#base;
    return TIME_LIMIT_KEYS.map((key) => {
      const value = limits[key] === Number.POSITIVE_INFINITY ? 'none' : limits[key];
      if (scope !== undefined && this.#settings.paths?.[scope.path]?.[key] !== undefined)
        return { key, value, from: 'path', path: scope.path };
      return { key, value, from: this.#settings[key] === undefined ? 'proxy' : 'balancer' };
    });
  }

  /** The path whose limit `key` is in `limits`, an object that `of` returned; `''` for a limit of the balancer or the proxy. */
  pathOf(limits: RequestLimits, key: TimeLimitKey): string {
    const path = this.#paths.find((scope) => scope.limits === limits)?.path;
    return path !== undefined && this.#settings.paths?.[path]?.[key] !== undefined ? path : '';
  }

  #scopeOf(target: string): Scope | undefined {
    for (const scope of this.#paths) if (isUnder(scope.path, target)) return scope;
    return undefined;
  }
}

/** Limits in which `settings` replace those of `wide`; `wide` itself if they replace none. */
function narrowed(wide: RequestLimits, settings: BalancerLimits): RequestLimits {
  if (TIME_LIMIT_KEYS.every((key) => settings[key] === undefined)) return wide;
  const limit = (key: TimeLimitKey): number => {
    const value = settings[key];
    return value === 'none' ? Number.POSITIVE_INFINITY : (value ?? wide[key]);
  };
  return requestLimits(limit);
}

/** The limits that `of` returns by key. All have one shape, because each read of a request's limits is on the hot path. */
export function requestLimits(of: (key: TimeLimitKey) => number): RequestLimits {
  return {
    upstreamTimeoutMs: of('upstreamTimeoutMs'),
    upstreamIdleMs: of('upstreamIdleMs'),
    eventStreamIdleMs: of('eventStreamIdleMs'),
    tunnelIdleMs: of('tunnelIdleMs'),
    bodyTimeoutMs: of('bodyTimeoutMs'),
  };
}
