/**
 * Names in ascending order of their code units, kept in order on each change. The cost of a page depends only on its length.
 * A change moves at most the array behind it: a few microseconds for 10,000 names.
 */
export class SortedNames<Name extends string> {
  readonly #names: Name[] = [];

  get size(): number {
    return this.#names.length;
  }

  /** Adds a name; a name that is already contained stays once. */
  add(name: Name): void {
    const place = this.#placeOf(name);
    if (this.#names[place] !== name) this.#names.splice(place, 0, name);
  }

  delete(name: Name): void {
    const place = this.#placeOf(name);
    if (this.#names[place] === name) this.#names.splice(place, 1);
  }

  /** All names greater than `after`, in order; without it all names. `after` need not be contained. */
  *after(after?: string): Generator<Name> {
    let place = after === undefined ? 0 : this.#placeOf(after);
    if (place < this.#names.length && this.#names[place] === after) place += 1;
    while (place < this.#names.length) yield this.#names[place++]!;
  }

  /** Index of the first name that is not less than `name`. */
  #placeOf(name: string): number {
    let [low, high] = [0, this.#names.length];
    // Restored and generated names mostly come in order.
    if (high > 0 && this.#names[high - 1]! < name) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#names[middle]! < name) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
