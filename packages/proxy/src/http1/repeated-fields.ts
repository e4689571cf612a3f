/**
 * Heads of one connection repeat: programs send the same fields with every request, nodes with every answer. Fields that equal the
 * previous ones octet for octet have the same result, so they are compared instead of parsed again.
 *
 * A copy is made only after the same length has come twice in a row. Fields that always differ cost a comparison of two numbers.
 */

/** Longer fields are always parsed: every connection may keep a copy. */
const MAX_BYTES = 2_048;

export class RepeatedFields {
  #length = -1;
  #copy: Buffer | undefined;

  /** Length of fields that may be a repetition, octets; 0 if none is kept. */
  get length(): number {
    return this.#copy === undefined ? 0 : this.#length;
  }

  /** True if `octets[start, end)` equal the kept fields. */
  isSame(octets: Buffer, start: number, end: number): boolean {
    if (this.#copy === undefined || end - start !== this.#length || start < 0) return false;
    return octets.compare(this.#copy, 0, this.#length, start, end) === 0;
  }

  /** `octets[start, end)` have been parsed and are valid. */
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
