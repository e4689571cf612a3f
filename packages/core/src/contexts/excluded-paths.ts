import type { ContextPath } from '@rollcall/protocol';
import { hasOtherReadings, isUnder, otherReadings } from './path-match.ts';

/**
 * Paths that are forwarded to no node, with all paths below them, as Apache's `ProxyPass /private !`. They take precedence
 * over every context, also over longer ones.
 */
export class ExcludedPaths {
  readonly #paths: readonly ContextPath[];

  constructor(paths: readonly ContextPath[]) {
    this.#paths = paths;
  }

  /** `excluded`; `ambiguous` when a node that decodes the path differently would serve an excluded path; `undefined` otherwise. */
  find(target: string): 'excluded' | 'ambiguous' | undefined {
    if (this.#paths.length === 0) return undefined;
    if (this.#covers(target)) return 'excluded';
    if (!hasOtherReadings(target)) return undefined;
    return otherReadings(target).some((reading) => this.#covers(reading)) ? 'ambiguous' : undefined;
  }

  #covers(target: string): boolean {
    return this.#paths.some((path) => isUnder(path, target));
  }
}
