/**
 * Reads the responses of one connection and checks status, length and completeness. It trusts the measured proxies more than a
 * client may trust a server, so that it needs little CPU.
 */

/** Properties of every correct response. */
export interface ExpectedAnswer {
  readonly status: number;
  /** Size of the body without chunk framing, octets. */
  readonly bodyBytes: number;
}

/** The response is complete, and the connection accepts no further request. */
export const CLOSING = 'closing';
/** The response is complete, and the connection stays open. */
export const COMPLETE = 'complete';
/** The response is incomplete. */
export const PARTIAL = 'partial';
/** Any other text describes an error; the connection cannot be read any further. */
export type ReadOutcome = typeof COMPLETE | typeof CLOSING | typeof PARTIAL | (string & {});

const HEAD_END = '\r\n\r\n';
const LENGTH = /\r\ncontent-length: *(\d+)/i;
const CHUNKED = /\r\ntransfer-encoding: *chunked/i;
const CLOSE = /\r\nconnection: *close/i;
const SET_COOKIE = /\r\nset-cookie: *([^;\r]*)/gi;
const CR = 13;
const LF = 10;

/** Position of the reader within a response. */
type Place = 'head' | 'body' | 'size' | 'chunk' | 'chunk-end' | 'trailer';

export class ResponseReader {
  readonly #expected: ExpectedAnswer;
  readonly #keepsCookies: boolean;
  #place: Place = 'head';
  /** Text of an incomplete head or chunk line. */
  #pending = '';
  #isClosing = false;
  /** Remaining octets of the body or of this chunk. */
  #left = 0;
  #bodyBytes = 0;
  /** `name=value` pairs of the first response with cookies; empty before. */
  cookies = '';

  constructor(expected: ExpectedAnswer, keepsCookies: boolean) {
    this.#expected = expected;
    this.#keepsCookies = keepsCookies;
  }

  /** Reads the next octets. There is one request in flight, so octets after the response are an error. */
  read(octets: Buffer): ReadOutcome {
    let at = 0;
    while (at < octets.length) {
      if (this.#place === 'body' || this.#place === 'chunk') {
        const taken = Math.min(this.#left, octets.length - at);
        at += taken;
        this.#left -= taken;
        this.#bodyBytes += taken;
        if (this.#left > 0) return PARTIAL;
        if (this.#place === 'body') return this.#end(octets.length - at);
        this.#place = 'chunk-end';
        continue;
      }
      if (this.#place === 'head') {
        const end = this.#headEnd(octets);
        if (end < 0) return PARTIAL;
        at = end;
        const outcome = this.#readHead();
        if (outcome !== undefined) return outcome;
        if (this.#isEmptyBody()) return this.#end(octets.length - at);
        continue;
      }
      const octet = octets[at++]!;
      if (octet === CR) continue;
      if (octet !== LF) {
        this.#pending += String.fromCharCode(octet);
        continue;
      }
      const line = this.#pending;
      this.#pending = '';
      if (this.#place === 'chunk-end') this.#place = 'size';
      else if (this.#place === 'size') {
        this.#left = Number.parseInt(line, 16);
        if (Number.isNaN(this.#left)) return `a chunk of size ${line.slice(0, 20)}`;
        this.#place = this.#left === 0 ? 'trailer' : 'chunk';
      } else if (line === '') return this.#end(octets.length - at);
    }
    return PARTIAL;
  }

  /** Index after the head in `octets`, with the head in `#pending`; -1 while the head is incomplete. */
  #headEnd(octets: Buffer): number {
    if (this.#pending === '') {
      const end = octets.indexOf(HEAD_END, 0, 'latin1');
      if (end >= 0) {
        this.#pending = octets.toString('latin1', 0, end + 2);
        return end + HEAD_END.length;
      }
    }
    const before = this.#pending.length;
    this.#pending += octets.toString('latin1');
    const end = this.#pending.indexOf(HEAD_END);
    if (end < 0) return -1;
    this.#pending = this.#pending.slice(0, end + 2);
    return end + HEAD_END.length - before;
  }

  /** Reads the complete head in `#pending`. Returns the error, if any. */
  #readHead(): string | undefined {
    const head = this.#pending;
    this.#pending = '';
    const status = Number(head.slice(9, 12));
    if (status !== this.#expected.status) return `status ${head.slice(9, 12)}`;
    this.#isClosing = CLOSE.test(head);
    this.#bodyBytes = 0;
    if (this.#keepsCookies && this.cookies === '')
      this.cookies = [...head.matchAll(SET_COOKIE)].map(([, pair]) => pair).join('; ');
    const length = LENGTH.exec(head);
    if (length !== null) {
      this.#left = Number(length[1]);
      this.#place = 'body';
    } else if (CHUNKED.test(head)) this.#place = 'size';
    else if (status === 204) {
      this.#left = 0;
      this.#place = 'body';
    } else return 'neither length nor chunks';
    return undefined;
  }

  #isEmptyBody(): boolean {
    return this.#place === 'body' && this.#left === 0;
  }

  #end(unread: number): ReadOutcome {
    this.#place = 'head';
    if (this.#bodyBytes !== this.#expected.bodyBytes) return `a body of ${this.#bodyBytes} octets`;
    if (unread > 0) return `${unread} octets behind the answer`;
    return this.#isClosing ? CLOSING : COMPLETE;
  }
}
