/** Sorted numbers with their median. Adding or removing a number moves part of an array; no sort is repeated. */
export class Median {
  readonly #sorted: number[] = [];

  add(value: number): void {
    this.#sorted.splice(this.#lowerBound(value), 0, value);
  }

  /** Removes `value`, which must have been added. */
  remove(value: number): void {
    this.#sorted.splice(this.#lowerBound(value), 1);
  }

  get size(): number {
    return this.#sorted.length;
  }

  /** The median, of an even number of values the lower one; `undefined` without values. */
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
