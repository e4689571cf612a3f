/** Finds the minimum of many numbers that change one by one. */

/**
 * A winner tree: the minimum of `length` keys is available at once, and setting one key costs log₂(`length`) comparisons.
 * Nothing is allocated after `reset`.
 *
 * @see Knuth, "The Art of Computer Programming" 3, 5.4.1, tournament trees.
 */
export class LeastTree {
  #leaves = 1;
  #keys = new Float64Array(1);
  /** Entry 1 is the root; of entry n the children are 2n and 2n + 1. */
  #winners = new Int32Array(2);

  /** Resets to `length` keys, all infinite. */
  reset(length: number): void {
    let leaves = 1;
    while (leaves < length) leaves *= 2;
    this.#leaves = leaves;
    this.#keys = new Float64Array(leaves).fill(Number.POSITIVE_INFINITY);
    this.#winners = new Int32Array(2 * leaves);
    for (let i = 0; i < leaves; i++) this.#winners[leaves + i] = i;
    for (let n = leaves - 1; n > 0; n--) this.#winners[n] = this.#winners[2 * n]!;
  }

  /** Place of the least key. */
  get least(): number {
    return this.#winners[1]!;
  }

  key(at: number): number {
    return this.#keys[at]!;
  }

  set(at: number, key: number): void {
    const keys = this.#keys;
    if (keys[at] === key) return;
    keys[at] = key;
    const winners = this.#winners;
    for (let n = (this.#leaves + at) >> 1; n > 0; n >>= 1) {
      const left = winners[2 * n]!;
      const right = winners[2 * n + 1]!;
      const winner = keys[right]! < keys[left]! ? right : left;
      // The entries above do not depend on this key.
      if (winner === winners[n] && winner !== at) return;
      winners[n] = winner;
    }
  }
}
