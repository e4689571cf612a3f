/**
 * Deadlines: one instant per key, taken in order. A binary heap that stores the position of each key. Moving a deadline
 * costs O(log n) and leaves no entry behind, however often a remote party causes it.
 */
export class Deadlines<Key> {
  readonly #heap: { readonly key: Key; atMs: number }[] = [];
  readonly #places = new Map<Key, number>();

  get size(): number {
    return this.#heap.length;
  }

  /** Sets the deadline of `key`, replacing an earlier one; Infinity removes it. */
  set(key: Key, atMs: number): void {
    if (atMs === Number.POSITIVE_INFINITY) {
      this.delete(key);
      return;
    }
    let place = this.#places.get(key);
    if (place === undefined) {
      place = this.#heap.length;
      this.#heap.push({ key, atMs });
      this.#places.set(key, place);
    } else {
      this.#heap[place]!.atMs = atMs;
    }
    this.#settle(place);
  }

  delete(key: Key): void {
    const place = this.#places.get(key);
    if (place === undefined) return;
    this.#places.delete(key);
    const last = this.#heap.pop()!;
    if (place === this.#heap.length) return;
    this.#heap[place] = last;
    this.#places.set(last.key, place);
    this.#settle(place);
  }

  /** Removes and returns the keys whose deadline is at or before `nowMs`, earliest first. */
  takeDue(nowMs: number): Key[] {
    const due: Key[] = [];
    while (this.#heap.length > 0 && this.#heap[0]!.atMs <= nowMs) {
      const { key } = this.#heap[0]!;
      this.delete(key);
      due.push(key);
    }
    return due;
  }

  #settle(place: number): void {
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (this.#heap[parent]!.atMs <= this.#heap[place]!.atMs) break;
      this.#swap(place, parent);
      place = parent;
    }
    for (;;) {
      let least = place;
      for (const child of [2 * place + 1, 2 * place + 2])
        if (child < this.#heap.length && this.#heap[child]!.atMs < this.#heap[least]!.atMs) least = child;
      if (least === place) return;
      this.#swap(place, least);
      place = least;
    }
  }

  #swap(one: number, other: number): void {
    const a = this.#heap[one]!;
    const b = this.#heap[other]!;
    this.#heap[one] = b;
    this.#heap[other] = a;
    this.#places.set(b.key, one);
    this.#places.set(a.key, other);
  }
}
