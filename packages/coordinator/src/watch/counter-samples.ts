/**
 * Samples of cumulative counters of many keys, all taken at the same instants, and their growth over the last ten seconds. Pure.
 *
 * Counters are not negative and do not fall. A key that appears begins without growth, and one that has no counters any more is dropped.
 */

/** Time over which the growth is measured, in samples: with one a second ten seconds. */
const INTERVALS = 10;

export class CounterSamples<Key> {
  readonly #columns: number;
  /** Samples of each key, one after the other in a ring of `INTERVALS + 1`. */
  readonly #rings = new Map<Key, Float64Array>();
  readonly #atMs = new Float64Array(INTERVALS + 1);
  #count = 0;

  /** `columns`: number of counters of a key. */
  constructor(columns: number) {
    this.#columns = columns;
  }

  /** Takes a sample of all keys. Call it about once a second. */
  sample(nowMs: number, counters: ReadonlyMap<Key, ArrayLike<number>>): void {
    const slot = this.#count % this.#atMs.length;
    this.#atMs[slot] = nowMs;
    this.#count += 1;
    for (const key of this.#rings.keys()) if (!counters.has(key)) this.#rings.delete(key);
    for (const [key, values] of counters) {
      const known = this.#rings.get(key);
      if (known !== undefined) known.set(values, slot * this.#columns);
      else this.#rings.set(key, this.#ringOf(values));
    }
  }

  /** Length of the time between the oldest and the newest sample, seconds; 0 before the second sample. */
  get seconds(): number {
    if (this.#count < 2) return 0;
    return Math.max(0, this.#atMs[this.#newest]! - this.#atMs[this.#oldest]!) / 1_000;
  }

  /** Growth of a counter in that time; 0 for an unknown key. */
  growth(key: Key, column: number): number {
    const ring = this.#rings.get(key);
    if (ring === undefined || this.#count < 2) return 0;
    return Math.max(0, ring[this.#newest * this.#columns + column]! - ring[this.#oldest * this.#columns + column]!);
  }

  /** Growth per second; 0 before the second sample. */
  perSecond(key: Key, column: number): number {
    const { seconds } = this;
    return seconds === 0 ? 0 : this.growth(key, column) / seconds;
  }

  get #newest(): number {
    return (this.#count - 1) % this.#atMs.length;
  }

  get #oldest(): number {
    return this.#count < this.#atMs.length ? 0 : this.#count % this.#atMs.length;
  }

  #ringOf(values: ArrayLike<number>): Float64Array {
    const ring = new Float64Array(this.#atMs.length * this.#columns);
    for (let i = 0; i < this.#atMs.length; i++) ring.set(values, i * this.#columns);
    return ring;
  }
}
