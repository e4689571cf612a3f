/**
 * Reads answers off one connection just closely enough to know that each is whole and what was asked for. It trusts
 * the proxies it measures more than a client may trust the world, and costs little, since its time is not theirs.
 */

/** What every answer has to be. */
export interface ExpectedAnswer {
  readonly status: number;
  /** Octets of the body once it is out of its chunks. */
  readonly bodyBytes: number;
}

/** The connection takes no further request after this answer. */
export const CLOSING = 'closing';
/** The answer was as expected, and the connection stays. */
export const COMPLETE = 'complete';
/** More octets have to come. */
export const PARTIAL = 'partial';
/** Any other text says what is wrong; nothing more can be read from this connection. */
export type ReadOutcome = typeof COMPLETE | typeof CLOSING | typeof PARTIAL | (string & {});

const HEAD_END = '\r\n\r\n';
const LENGTH = /\r\ncontent-length: *(\d+)/i;
const CHUNKED = /\r\ntransfer-encoding: *chunked/i;
const CLOSE = /\r\nconnection: *close/i;
const SET_COOKIE = /\r\nset-cookie: *([^;\r]*)/gi;
const CR = 13;
const LF = 10;

/** Where the reader is within an answer. */
type Place = 'head' | 'body' | 'size' | 'chunk' | 'chunk-end' | 'trailer';

export class ResponseReader {
  readonly #expected: ExpectedAnswer;
  readonly #keepsCookies: boolean;
  #place: Place = 'head';
  /** Octets of a head or chunk line that has not come to its end. */
  #pending = '';
  #isClosing = false;
  /** Octets to come of the body or of this chunk. */
  #left = 0;
  #bodyBytes = 0;
  /** `name=value` pairs that the first answer with cookies has set; empty until then. */
  cookies = '';

  constructor(expected: ExpectedAnswer, keepsCookies: boolean) {
    this.#expected = expected;
    this.#keepsCookies = keepsCookies;
  }

  /** Takes what has come. One request is answered at a time, so anything behind the end of an answer is wrong. */
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

  /** Index behind the head in `octets`, or -1 while it is not whole. The head is in `#pending` then. */
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

  /** Reads the whole head in `#pending`. Returns what is wrong, or nothing. */
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
