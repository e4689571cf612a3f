/**
 * A head that arrives in pieces. Most heads arrive completely and do not get here. The pieces are kept in one growing buffer. Each octet
 * is examined once, so a head sent octet by octet costs no more than any other.
 */

const END_OF_HEAD = Buffer.from('\r\n\r\n', 'latin1');
const NOTHING: Buffer = Buffer.alloc(0);
const FIRST_BYTES = 1_024;
const CR = 0x0d;
const LF = 0x0a;

export class PartialHead {
  #store: Buffer = NOTHING;
  #length = 0;
  /** Octets known to hold no end of head and no bare line end. */
  #checked = 0;
  #hasGivenLine = false;

  /** Octets held. */
  get length(): number {
    return this.#length;
  }

  /** All octets so far, `chunk` the last of them. Valid until the next call of `hold`. */
  join(chunk: Buffer): Buffer {
    if (this.#length === 0) return chunk;
    this.#reserve(this.#length + chunk.length);
    chunk.copy(this.#store, this.#length);
    this.#length += chunk.length;
    return this.#store.subarray(0, this.#length);
  }

  /** Where the empty line that ends the head in `octets` begins; -1 before it has arrived. Searches only new octets. */
  endIn(octets: Buffer, start: number): number {
    return octets.indexOf(END_OF_HEAD, Math.max(start, this.#checked - 3));
  }

  /** Keeps `octets`, which are all so far, for the next `join`. */
  hold(octets: Buffer): void {
    if (octets.buffer !== this.#store.buffer || octets.byteOffset !== this.#store.byteOffset) {
      // A line skipped at the start moves all octets; they are examined again.
      this.#checked = 0;
      const kept = Buffer.from(octets);
      this.#store = NOTHING;
      this.#length = 0;
      this.#reserve(kept.length);
      kept.copy(this.#store);
    }
    this.#length = octets.length;
  }

  /** True if the new octets contain an LF without CR before it or a CR without LF after it. Examines each octet once. */
  hasBareLineEnd(): boolean {
    const octets = this.#store;
    // The last octet checked before may have been a CR that waits for its LF.
    for (let at = Math.max(0, this.#checked - 1); at < this.#length; at++) {
      const octet = octets[at];
      if (octet === LF && octets[at - 1] !== CR) return true;
      if (octet === CR && at + 1 < this.#length && octets[at + 1] !== LF) return true;
    }
    this.#checked = this.#length;
    return false;
  }

  /** True if a line end has arrived. */
  hasLine(): boolean {
    return this.#lineEnd() >= 0;
  }

  /** Where the CR LF of the first line begins, returned once; -1 before it has arrived, and in later calls. */
  takeLine(): number {
    const end = this.#hasGivenLine ? -1 : this.#lineEnd();
    if (end >= 0) this.#hasGivenLine = true;
    return end < 0 ? -1 : end - 1;
  }

  #lineEnd(): number {
    const at = this.#store.indexOf(LF);
    return at < this.#length ? at : -1;
  }

  /** Forgets everything. The result of an earlier `join` is not changed. */
  clear(): void {
    this.#store = NOTHING;
    this.#length = 0;
    this.#checked = 0;
    this.#hasGivenLine = false;
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#store.length) return;
    const store = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, bytes * 2));
    this.#store.copy(store, 0, 0, this.#length);
    this.#store = store;
  }
}
