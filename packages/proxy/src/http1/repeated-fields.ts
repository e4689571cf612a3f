/**
 * Heads of one connection repeat: programs send the same fields with every request, nodes with every answer. Fields that
 * are, octet for octet, those of the head before mean the same, so they are compared instead of read again.
 *
 * A copy is made only when the length has come twice in a row, so that fields which always differ cost a comparison of
 * two numbers.
 */

/** Longer ones are read each time: every connection may keep a copy. */
const MAX_BYTES = 2_048;

export class RepeatedFields {
  #length = -1;
  #copy: Buffer | undefined;

  /** How many octets the fields have that would be a repetition; 0 when nothing is known. */
  get length(): number {
    return this.#copy === undefined ? 0 : this.#length;
  }

  /** True when `octets[start, end)` are those that were kept. */
  isSame(octets: Buffer, start: number, end: number): boolean {
    if (this.#copy === undefined || end - start !== this.#length || start < 0) return false;
    return octets.compare(this.#copy, 0, this.#length, start, end) === 0;
  }

  /** `octets[start, end)` have been read and were good. */
  keep(octets: Buffer, start: number, end: number): void {
    const length = end - start;
    if (length !== this.#length || length > MAX_BYTES) {
      this.#length = length;
      this.#copy = undefined;
      return;
    }
    this.#copy ??= Buffer.allocUnsafeSlow(length);
    octets.copy(this.#copy, 0, start, end);
  }

  forget(): void {
    this.#length = -1;
    this.#copy = undefined;
  }
}
