import type { ContextPath } from '@rollcall/protocol';
import { hasOtherReadings, otherReadings } from './path-match.ts';

/**
 * Paths that no node may be asked for, with all below them, as Apache's `ProxyPass /private !`. They win over every
 * context, also over longer ones.
 */
export class ExcludedPaths {
  readonly #paths: readonly ContextPath[];

  constructor(paths: readonly ContextPath[]) {
    this.#paths = paths;
  }

  /** `excluded`; `ambiguous` when a node that reads the path otherwise would serve what is excluded; `undefined` for all others. */
  find(target: string): 'excluded' | 'ambiguous' | undefined {
    if (this.#paths.length === 0) return undefined;
    if (this.#covers(target)) return 'excluded';
    if (!hasOtherReadings(target)) return undefined;
    return otherReadings(target).some((reading) => this.#covers(reading)) ? 'ambiguous' : undefined;
  }

  #covers(target: string): boolean {
    return this.#paths.some((path) => {
      if (path === '/') return true;
      if (!target.startsWith(path)) return false;
      const next = target[path.length];
      return next === undefined || next === '/' || next === ';' || next === '?';
    });
  }
}
