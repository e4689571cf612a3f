/** Finds request heads in the octets of a client: whole heads, parts of heads, and octets that cannot become a head. No sockets, no clock. */
import type { Refusal } from '@rollcall/feed';
import { PartialHead } from '../http1/partial-head.ts';
import { type HeadRefusal, RequestHead } from '../http1/request-head.ts';
import type { EngineLimits } from './limits.ts';

const CR = 0x0d;
const LF = 0x0a;

/** Octets that are not a request that the proxy accepts. */
export interface RefusedHead {
  readonly status: number;
  /** Counter of the refusal. */
  readonly refusal: Refusal;
  /** For the log. */
  readonly why: string;
  /** The request is a HEAD: its answer has no body. */
  readonly isHead: boolean;
}

/** `whole`: `head` is filled, and its body starts at `bodyStart`. `begun`: the first part of a head. `more`: another part. `empty`: nothing. */
export type HeadProgress = 'whole' | 'begun' | 'more' | 'empty' | RefusedHead;

export class HeadReader {
  /** Valid after `whole`, until the next `readHead`. */
  readonly head: RequestHead = new RequestHead();
  /** After `whole`: where the octets behind the head start. */
  bodyStart = 0;
  readonly #partial = new PartialHead();
  readonly #limits: EngineLimits;

  constructor(limits: EngineLimits) {
    this.#limits = limits;
  }

  /** True while a part of a head is held. */
  get hasPart(): boolean {
    return this.#partial.length > 0;
  }

  /** The held part with `chunk` behind it, for `readHead`. Valid until the next `readHead`. */
  join(chunk: Buffer): Buffer {
    return this.#partial.join(chunk);
  }

  clear(): void {
    this.#partial.clear();
  }

  /** Reads one head. `octets` start where a request does; a part of a head is kept for `join`. */
  readHead(octets: Buffer): HeadProgress {
    const { maxFieldBytes, maxLineBytes } = this.#limits;
    // RFC 9112 §2.2: empty lines before a request line are skipped.
    let start = 0;
    while (octets[start] === CR && octets[start + 1] === LF) start += 2;
    const end = this.#partial.endIn(octets, start);
    if (end < 0) return this.#readPart(start === 0 ? octets : octets.subarray(start));
    this.#partial.clear();
    if (end - start > maxFieldBytes + maxLineBytes) return this.#tooLarge(octets.subarray(start, end));
    const refusal = this.head.read(octets, start, end, this.#limits);
    if (refusal !== undefined) return refusedHead(refusal, isHead(octets, start));
    this.bodyStart = end + 4;
    return 'whole';
  }

  /** A part of a head: bounded in size, and refused as soon as it cannot become a valid head. */
  #readPart(octets: Buffer): HeadProgress {
    const { maxFieldBytes, maxLineBytes } = this.#limits;
    if (octets.length === 0) {
      this.#partial.clear();
      return 'empty';
    }
    if (octets.length > maxFieldBytes + maxLineBytes) return this.#tooLarge(octets);
    const isFirst = this.#partial.length === 0;
    this.#partial.hold(octets);
    if (octets.length > maxLineBytes && !this.#partial.hasLine()) return this.#tooLarge(octets);
    // RFC 9112 §2.2 allows to refuse bare line ends, which implementations read in two ways.
    if (this.#partial.hasBareLineEnd() || !mayBeginRequest(octets))
      return refusedHead({ status: 400, why: 'a bare line end, or no method' });
    // An invalid request line is refused at once: its fields, as in HTTP/0.9, may never arrive.
    const lineEnd = this.#partial.takeLine();
    const refusal = lineEnd < 0 ? undefined : this.head.refusesLine(octets, lineEnd, this.#limits);
    if (refusal !== undefined) return refusedHead(refusal);
    return isFirst ? 'begun' : 'more';
  }

  #tooLarge(octets: Buffer): RefusedHead {
    const { maxLineBytes } = this.#limits;
    const lineEnd = octets.indexOf(LF);
    const isLine = lineEnd < 0 || lineEnd > maxLineBytes;
    return refusedHead({ status: isLine ? 414 : 431, why: `a head of over ${octets.length} octets` });
  }
}

function refusedHead({ status, why }: HeadRefusal, isHead = false): RefusedHead {
  return { status, why, isHead, refusal: status === 414 || status === 431 ? 'too-large' : 'bad-request' };
}

/** True if a request by HEAD starts at `start`. */
function isHead(octets: Buffer, start: number): boolean {
  return octets.toString('latin1', start, start + 5) === 'HEAD ';
}

/** False if the first octet cannot begin a method, e.g. in a TLS handshake on the plain port. */
function mayBeginRequest(octets: Buffer): boolean {
  const first = octets[0]!;
  return first === CR || (first > 0x20 && first < 0x7f);
}
