/** Largest number of nodes that one pick compares; of more nodes, this many in turn. Comparing a thousand would cost more than the request. */
export const MAX_SCAN = 32;

/**
 * Takes turns over a list that is too long to be visited whole. Each call begins where the last one ended. Every node is
 * therefore visited equally often, and an idle one within a few picks.
 */
export class Rotation {
  #at = 0;

  /** Start of the part that is visited now. It is `MAX_SCAN` long and continues at the start of the list. */
  next(length: number): number {
    if (length <= MAX_SCAN) return 0;
    const start = this.#at % length;
    this.#at = start + MAX_SCAN;
    return start;
  }
}
