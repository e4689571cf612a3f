/** Nodes that one pick looks at; of more, so many in turn. Looking at all of a thousand would cost more than the request. */
export const MAX_SCAN = 32;

/**
 * Takes turns over a list that is too long to be looked at whole: each call begins where the last one ended, so that
 * every node is looked at equally often, and one without any work within a few picks.
 */
export class Rotation {
  #at = 0;

  /** Where the part that is looked at now begins. It is `MAX_SCAN` long and goes on at the start of the list. */
  next(length: number): number {
    if (length <= MAX_SCAN) return 0;
    const start = this.#at % length;
    this.#at = start + MAX_SCAN;
    return start;
  }
}
