/**
 * Follows the frames of one direction of a WebSocket (RFC 6455 §5.2), to find the borders between two frames. Only there another frame
 * may be inserted. Nothing is copied or kept. A payload is skipped by arithmetic, so a chunk costs as much as the heads of the frames in it.
 *
 * Messages, extensions and payloads are not examined. A control frame may come between the fragments of a message (§5.4), so each border
 * serves. After an octet that cannot belong to a frame, no further border is known, and nothing is reported.
 */

const FIN = 0x80;
const CONTROL = 0x08;
const CLOSE = 0x08;
const MASK = 0x80;
const MASK_BYTES = 4;
/** Longest payload of a control frame, and the largest length in the second octet. */
const MAX_SHORT = 125;

export class FrameBorders {
  /** A complete close frame has passed: no frame follows it. */
  hasClosed = false;
  readonly #isMasked: boolean;
  /** Octets of the frame that follow its head up to the length: mask and payload. `Infinity`: no further border is known. */
  #left = 0;
  /** Octets of the head that were read: 0, 1, or 2 while the longer form of the length is read. */
  #headBytes = 0;
  /** Octets of the length that are still to come. */
  #lengthBytes = 0;
  #length = 0;
  #isControl = false;
  #isClose = false;

  /** `isMasked`: frames of a client. */
  constructor(isMasked: boolean) {
    this.#isMasked = isMasked;
  }

  /** The last octet was the end of a frame, or none has passed. False after a close frame. */
  get isAtBorder(): boolean {
    return this.#left === 0 && this.#headBytes === 0;
  }

  /** No further border can be found, because the octets are not frames. */
  get isLost(): boolean {
    return this.#left === Number.POSITIVE_INFINITY && !this.hasClosed;
  }

  /**
   * Follows `octets[start…]`. Returns where it stopped: at the end of the octets, behind a close frame, or with `stopsAtBorder` behind
   * the first frame that is complete.
   */
  follow(octets: Uint8Array, start = 0, stopsAtBorder = false): number {
    let at = start;
    const end = octets.length;
    while (at < end) {
      const rest = end - at;
      if (this.#left > rest) {
        this.#left -= rest;
        return end;
      }
      if (this.#left > 0) {
        at += this.#left;
        this.#left = 0;
      } else {
        this.#readHead(octets[at++]!);
        if (!this.isAtBorder) continue;
      }
      if (this.#isClose) {
        this.hasClosed = true;
        this.#left = Number.POSITIVE_INFINITY;
        return at;
      }
      if (stopsAtBorder) return at;
    }
    return at;
  }

  #readHead(octet: number): void {
    if (this.#headBytes === 0) this.#readOpcode(octet);
    else if (this.#headBytes === 1) this.#readLength(octet);
    else {
      this.#length = this.#length * 256 + octet;
      if (--this.#lengthBytes === 0) this.#endHead();
    }
  }

  #readOpcode(octet: number): void {
    this.#isControl = (octet & CONTROL) !== 0;
    this.#isClose = (octet & 0x0f) === CLOSE;
    // Opcodes 3 to 7 and 11 to 15 are reserved; a control frame has no fragments.
    if ((octet & 0x07) > 2 || (this.#isControl && (octet & FIN) === 0)) this.#lose();
    else this.#headBytes = 1;
  }

  #readLength(octet: number): void {
    const short = octet & 0x7f;
    if (((octet & MASK) !== 0) !== this.#isMasked || (this.#isControl && short > MAX_SHORT)) {
      this.#lose();
      return;
    }
    this.#length = short;
    if (short <= MAX_SHORT) {
      this.#endHead();
      return;
    }
    this.#length = 0;
    this.#lengthBytes = short === 126 ? 2 : 8;
    this.#headBytes = 2;
  }

  #endHead(): void {
    if (this.#length > Number.MAX_SAFE_INTEGER - MASK_BYTES) {
      this.#lose();
      return;
    }
    this.#headBytes = 0;
    this.#left = this.#isMasked ? this.#length + MASK_BYTES : this.#length;
  }

  #lose(): void {
    this.#headBytes = 0;
    this.#left = Number.POSITIVE_INFINITY;
  }
}
