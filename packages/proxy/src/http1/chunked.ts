/**
 * Decodes the chunked transfer coding, RFC 9112 §7.1, octet by octet across any segmentation. Line ends are CRLF and
 * nothing else; extensions and trailers are checked, bounded and dropped.
 */
import { isTokenUnit } from './octets.ts';

/** Bounds of what stands beside the data. */
export interface ChunkLimits {
  /** Chunk extensions of one message, octets. Default 4,096. */
  readonly maxExtensionBytes: number;
  /** Trailer section of one message, octets. Default 8,192. */
  readonly maxTrailerBytes: number;
}

const STATE = {
  SIZE: 0,
  EXTENSION: 1,
  SIZE_LF: 2,
  DATA: 3,
  DATA_CR: 4,
  DATA_LF: 5,
  TRAILER_START: 6,
  TRAILER_NAME: 7,
  TRAILER_VALUE: 8,
  TRAILER_LF: 9,
  END_LF: 10,
  DONE: 11,
  BROKEN: 12,
} as const;
type State = (typeof STATE)[keyof typeof STATE];

/** 13 hex digits are 2^52: no length beyond what a double counts exactly. */
const MAX_SIZE_DIGITS = 13;
const CR = 0x0d;
const LF = 0x0a;

export class ChunkedDecoder {
  /** What `decode` found last. */
  payloadStart = 0;
  payloadEnd = 0;
  readonly #limits: ChunkLimits;
  #state: State = STATE.SIZE;
  #size = 0;
  #digits = 0;
  #left = 0;
  #extensionBytes = 0;
  #trailerBytes = 0;
  /** The extension has a name, so that the line may end. */
  #hasExtensionName = false;
  /** Inside a quoted string, which cannot hold a line end (RFC 9110 §5.6.4). */
  #isQuoted = false;
  #isEscaped = false;

  constructor(limits: ChunkLimits) {
    this.#limits = limits;
  }

  /** Ready for another message. */
  reset(): void {
    this.#state = STATE.SIZE;
    this.#size = 0;
    this.#digits = 0;
    this.#left = 0;
    this.#extensionBytes = 0;
    this.#trailerBytes = 0;
  }

  get isDone(): boolean {
    return this.#state === STATE.DONE;
  }

  get isBroken(): boolean {
    return this.#state === STATE.BROKEN;
  }

  /**
   * Decodes `octets[start, end)` and returns where it stopped: `end`, or the octet after the message (`isDone`), or the
   * octet that breaks it (`isBroken`). The payload is then `octets[payloadStart, payloadEnd)`: when it came in several
   * chunks they are moved together in place, so that what was read at once can be written at once.
   */
  decode(octets: Buffer, start: number, end: number): number {
    this.payloadStart = start;
    this.payloadEnd = start;
    let at = start;
    while (at < end && this.#state < STATE.DONE) {
      if (this.#state === STATE.DATA) {
        const to = Math.min(end, at + this.#left);
        this.#left -= to - at;
        this.#collect(octets, at, to);
        at = to;
        if (this.#left === 0) this.#state = STATE.DATA_CR;
      } else {
        this.#state = this.#step(octets[at]!);
        if (this.#state === STATE.BROKEN) return at;
        at++;
      }
    }
    return at;
  }

  #collect(octets: Buffer, from: number, to: number): void {
    if (this.payloadEnd === this.payloadStart) {
      this.payloadStart = from;
      this.payloadEnd = to;
    } else {
      octets.copyWithin(this.payloadEnd, from, to);
      this.payloadEnd += to - from;
    }
  }

  #step(octet: number): State {
    switch (this.#state) {
      case STATE.SIZE:
        return this.#sizeOctet(octet);
      case STATE.EXTENSION:
        return this.#extensionOctet(octet);
      case STATE.SIZE_LF:
        if (octet !== LF) return STATE.BROKEN;
        this.#left = this.#size;
        this.#size = 0;
        this.#digits = 0;
        return this.#left > 0 ? STATE.DATA : STATE.TRAILER_START;
      case STATE.DATA_CR:
        return octet === CR ? STATE.DATA_LF : STATE.BROKEN;
      case STATE.DATA_LF:
        return octet === LF ? STATE.SIZE : STATE.BROKEN;
      case STATE.END_LF:
        return octet === LF ? STATE.DONE : STATE.BROKEN;
      default:
        return this.#trailerOctet(octet);
    }
  }

  #sizeOctet(octet: number): State {
    const digit = hexDigit(octet);
    if (digit >= 0) {
      if (++this.#digits > MAX_SIZE_DIGITS) return STATE.BROKEN;
      this.#size = this.#size * 16 + digit;
      return STATE.SIZE;
    }
    if (this.#digits === 0) return STATE.BROKEN;
    if (octet === CR) return STATE.SIZE_LF;
    if (octet !== 0x3b) return STATE.BROKEN;
    this.#hasExtensionName = false;
    this.#isQuoted = false;
    this.#isEscaped = false;
    return this.#extensionOctet(octet);
  }

  /** RFC 9112 §7.1.1. Names and values are not looked into, but an empty extension is refused. */
  #extensionOctet(octet: number): State {
    if (octet === CR) return this.#hasExtensionName && !this.#isQuoted ? STATE.SIZE_LF : STATE.BROKEN;
    if (octet !== 0x09 && (octet < 0x20 || octet === 0x7f)) return STATE.BROKEN;
    if (++this.#extensionBytes > this.#limits.maxExtensionBytes) return STATE.BROKEN;
    if (octet !== 0x3b && octet !== 0x20 && octet !== 0x09) this.#hasExtensionName = true;
    if (this.#isEscaped) this.#isEscaped = false;
    else if (octet === 0x22) this.#isQuoted = !this.#isQuoted;
    else if (this.#isQuoted && octet === 0x5c) this.#isEscaped = true;
    return STATE.EXTENSION;
  }

  /** RFC 9112 §7.1.2: field lines, checked as those of a head. */
  #trailerOctet(octet: number): State {
    if (octet !== CR && ++this.#trailerBytes > this.#limits.maxTrailerBytes) return STATE.BROKEN;
    switch (this.#state) {
      case STATE.TRAILER_START:
        if (octet === CR) return STATE.END_LF;
        return isTokenUnit(octet) ? STATE.TRAILER_NAME : STATE.BROKEN;
      case STATE.TRAILER_NAME:
        if (octet === 0x3a) return STATE.TRAILER_VALUE;
        return isTokenUnit(octet) ? STATE.TRAILER_NAME : STATE.BROKEN;
      case STATE.TRAILER_VALUE:
        if (octet === CR) return STATE.TRAILER_LF;
        return octet === 0x09 || (octet >= 0x20 && octet !== 0x7f) ? STATE.TRAILER_VALUE : STATE.BROKEN;
      case STATE.TRAILER_LF:
        return octet === LF ? STATE.TRAILER_START : STATE.BROKEN;
      default:
        return STATE.BROKEN;
    }
  }
}

function hexDigit(octet: number): number {
  if (octet >= 0x30 && octet <= 0x39) return octet - 0x30;
  const lower = octet | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
