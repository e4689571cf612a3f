/** Size of the buffer, octets. */
const READ_BYTES = 65_536;
/** Views up to this length are cached: heads have few lengths, and a view costs as much as a small write. */
const KEPT_VIEWS = 4_096;

/** The one buffer that all plain connections of an engine read into. The next read of any of them overwrites it. */
export class ReadBuffer {
  readonly octets: Buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  readonly #views: (Buffer | undefined)[] = new Array<undefined>(KEPT_VIEWS).fill(undefined);

  /** The first `bytes` octets. Callers neither keep nor change them. */
  view(bytes: number): Buffer {
    if (bytes >= KEPT_VIEWS) return this.octets.subarray(0, bytes);
    this.#views[bytes] ??= this.octets.subarray(0, bytes);
    return this.#views[bytes];
  }
}
