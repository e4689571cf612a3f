/**
 * Decodes the chunked transfer coding, RFC 9112 §7.1, octet by octet across any segmentation. Line ends are CRLF only. Extensions and
 * trailers are checked, limited and dropped.
 */
import { isTokenUnit } from './octets.ts';

/** Ends a chunked body without trailers. */
export const LAST_CHUNK = '0\r\n\r\n';

/** Limits of everything but the data. */
export interface ChunkLimits {
  /** Chunk extensions of one message, octets. Default 4,096. */
  readonly maxExtensionBytes: number;
  /** Trailer section of one message, octets. Default 8,192. */
  readonly maxTrailerBytes: number;
}

const STATE = {
  SIZE: 0,
  EXTENSION_START: 1,
  EXTENSION_NAME: 2,
  EXTENSION_VALUE_START: 3,
  EXTENSION_VALUE: 4,
  EXTENSION_QUOTED: 5,
  EXTENSION_ESCAPED: 6,
  EXTENSION_UNQUOTED: 7,
  SIZE_LF: 8,
  DATA: 9,
  DATA_CR: 10,
  DATA_LF: 11,
  TRAILER_START: 12,
  TRAILER_NAME: 13,
  TRAILER_VALUE: 14,
  TRAILER_LF: 15,
  END_LF: 16,
  DONE: 17,
  BROKEN: 18,
} as const;
type State = (typeof STATE)[keyof typeof STATE];

/** 13 hex digits are 2^52: larger lengths are not exact in a double. */
const MAX_SIZE_DIGITS = 13;
const CR = 0x0d;
const LF = 0x0a;
const SEMICOLON = 0x3b;
const QUOTE = 0x22;

export class ChunkedDecoder {
  /** Results of the last `decode`. */
  payloadStart = 0;
  payloadEnd = 0;
  readonly #limits: ChunkLimits;
  #state: State = STATE.SIZE;
  #size = 0;
  #digits = 0;
  #left = 0;
  #extensionBytes = 0;
  #trailerBytes = 0;
  #trailerName = '';

  constructor(limits: ChunkLimits) {
    this.#limits = limits;
  }

  /** Starts the next message. */
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

  /** It exceeds a limit of this proxy, and breaks no rule of HTTP. */
  get exceedsBounds(): boolean {
    const { maxExtensionBytes, maxTrailerBytes } = this.#limits;
    return this.isBroken && (this.#extensionBytes > maxExtensionBytes || this.#trailerBytes > maxTrailerBytes);
  }

  /**
   * Decodes `octets[start, end)` and returns where it stopped: `end`, or the octet after the message (`isDone`), or the octet that breaks
   * it (`isBroken`). The payload is then `octets[payloadStart, payloadEnd)`. If it came in several chunks, they are moved together in
   * place, so that one write sends the payload of one read.
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
      case STATE.TRAILER_START:
      case STATE.TRAILER_NAME:
      case STATE.TRAILER_VALUE:
      case STATE.TRAILER_LF:
        return this.#trailerOctet(octet);
      default:
        return this.#extensionOctet(octet);
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
    if (octet !== SEMICOLON) return STATE.BROKEN;
    this.#extensionBytes++;
    return STATE.EXTENSION_START;
  }

  /** RFC 9112 §7.1.1: `;name`, `;name=token` or `;name="quoted"`, without the white space that the RFC calls bad. */
  #extensionOctet(octet: number): State {
    if (octet !== CR && ++this.#extensionBytes > this.#limits.maxExtensionBytes) return STATE.BROKEN;
    switch (this.#state) {
      case STATE.EXTENSION_START:
        return isTokenUnit(octet) ? STATE.EXTENSION_NAME : STATE.BROKEN;
      case STATE.EXTENSION_NAME:
        if (octet === 0x3d) return STATE.EXTENSION_VALUE_START;
        return isTokenUnit(octet) ? STATE.EXTENSION_NAME : afterExtension(octet);
      case STATE.EXTENSION_VALUE_START:
        if (octet === QUOTE) return STATE.EXTENSION_QUOTED;
        return isTokenUnit(octet) ? STATE.EXTENSION_VALUE : STATE.BROKEN;
      case STATE.EXTENSION_VALUE:
        return isTokenUnit(octet) ? STATE.EXTENSION_VALUE : afterExtension(octet);
      case STATE.EXTENSION_QUOTED:
        if (octet === QUOTE) return STATE.EXTENSION_UNQUOTED;
        if (octet === 0x5c) return STATE.EXTENSION_ESCAPED;
        return isTextOctet(octet) ? STATE.EXTENSION_QUOTED : STATE.BROKEN;
      case STATE.EXTENSION_ESCAPED:
        return isTextOctet(octet) ? STATE.EXTENSION_QUOTED : STATE.BROKEN;
      default:
        return afterExtension(octet);
    }
  }

  #trailerNameOctet(octet: number): State {
    if (!isTokenUnit(octet)) return STATE.BROKEN;
    this.#trailerName += String.fromCharCode(octet);
    return STATE.TRAILER_NAME;
  }

  /** RFC 9112 §7.1.2: field lines, checked like the fields of a head. */
  #trailerOctet(octet: number): State {
    if (octet !== CR && ++this.#trailerBytes > this.#limits.maxTrailerBytes) return STATE.BROKEN;
    switch (this.#state) {
      case STATE.TRAILER_START:
        if (octet === CR) return STATE.END_LF;
        this.#trailerName = '';
        return this.#trailerNameOctet(octet);
      case STATE.TRAILER_NAME:
        if (octet === 0x3a) return isFramingField(this.#trailerName) ? STATE.BROKEN : STATE.TRAILER_VALUE;
        return this.#trailerNameOctet(octet);
      case STATE.TRAILER_VALUE:
        if (octet === CR) return STATE.TRAILER_LF;
        return isTextOctet(octet) ? STATE.TRAILER_VALUE : STATE.BROKEN;
      case STATE.TRAILER_LF:
        return octet === LF ? STATE.TRAILER_START : STATE.BROKEN;
      default:
        return STATE.BROKEN;
    }
  }
}

function afterExtension(octet: number): State {
  if (octet === CR) return STATE.SIZE_LF;
  return octet === SEMICOLON ? STATE.EXTENSION_START : STATE.BROKEN;
}

/** Visible, blank or obs-text (RFC 9110 §5.5). */
function isTextOctet(octet: number): boolean {
  return octet === 0x09 || (octet >= 0x20 && octet !== 0x7f);
}

/** RFC 9110 §6.5.1: framing fields are not allowed in a trailer. Node's parser refuses them too. */
function isFramingField(name: string): boolean {
  const lower = name.toLowerCase();
  return lower === 'content-length' || lower === 'transfer-encoding';
}

function hexDigit(octet: number): number {
  if (octet >= 0x30 && octet <= 0x39) return octet - 0x30;
  const lower = octet | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
