/** Numbers in order, with their median. Adding and removing one moves part of an array; nothing is sorted again. */
export class Median {
  readonly #sorted: number[] = [];

  add(value: number): void {
    this.#sorted.splice(this.#lowerBound(value), 0, value);
  }

  /** `value` must be one that was added. */
  remove(value: number): void {
    this.#sorted.splice(this.#lowerBound(value), 1);
  }

  get size(): number {
    return this.#sorted.length;
  }

  /** Of an even number of values the lower one in the middle; `undefined` without any. */
  get median(): number | undefined {
    return this.#sorted[(this.#sorted.length - 1) >> 1];
  }

  get largest(): number | undefined {
    return this.#sorted.at(-1);
  }

  #lowerBound(value: number): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sorted[middle]! < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
