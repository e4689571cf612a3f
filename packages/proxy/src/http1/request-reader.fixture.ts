import { DEFAULT_LIMITS } from '../engine/limits.ts';
import { ChunkedDecoder } from './chunked.ts';
import { PartialHead } from './partial-head.ts';
import { RequestHead } from './request-head.ts';

/** One request as the parsers of the engine read it. */
export interface ReadRequest {
  readonly method: string;
  readonly target: string;
  readonly authority: string;
  readonly version: string;
  /** Fields that a node would get unchanged, as `name: value`, in order. */
  readonly fields: readonly string[];
  /** Announced octets; -1 chunked. */
  readonly bodyLength: number;
  body: string;
  isComplete: boolean;
}

/**
 * Reads requests from octets in any pieces, with the pure parts of the engine and no socket. It works like the client connection, without
 * its time limits.
 */
export class RequestReader {
  readonly requests: ReadRequest[] = [];
  /** Status of the refusal that ended the reading; 0 without one. */
  refusal = 0;
  /** Reason of the refusal; `''` without one. */
  why = '';
  /** The last request closes its connection: no more is read. */
  isClosed = false;
  readonly #partial = new PartialHead();
  readonly #head = new RequestHead();
  readonly #decoder = new ChunkedDecoder(DEFAULT_LIMITS);
  #left = 0;

  push(piece: Buffer): void {
    let octets: Buffer = Buffer.from(piece);
    while (octets.length > 0 && this.refusal === 0) {
      const last = this.requests.at(-1);
      if (last && !last.isComplete) octets = octets.subarray(this.#readBody(last, octets));
      else if (this.isClosed) return;
      else octets = this.#readHead(octets);
    }
  }

  #readHead(piece: Buffer): Buffer {
    const octets = this.#partial.join(piece);
    let start = 0;
    while (octets[start] === 0x0d && octets[start + 1] === 0x0a) start += 2;
    const end = this.#partial.endIn(octets, start);
    if (end < 0) {
      if (start === octets.length) this.#partial.clear();
      else {
        this.#partial.hold(octets.subarray(start));
        const lineEnd = this.#partial.takeLine();
        if (this.#partial.hasBareLineEnd()) this.#refuse(400, 'a bare line end');
        else if (lineEnd >= 0) this.#refuseLine(octets.subarray(start), lineEnd);
      }
      return octets.subarray(octets.length);
    }
    this.#partial.clear();
    const head = this.#head;
    const refusal = head.read(octets, start, end, DEFAULT_LIMITS);
    if (refusal) {
      this.#refuse(refusal.status, refusal.why);
      return octets;
    }
    this.requests.push({
      method: head.method,
      target: head.target,
      authority: head.authority,
      version: head.isHttp10 ? '1.0' : '1.1',
      fields: head.forwarded
        .split('\r\n')
        .filter((line) => line !== '')
        .map((line) => normalLine(line)),
      bodyLength: head.bodyLength,
      body: '',
      isComplete: head.bodyLength === 0,
    });
    this.#left = head.bodyLength;
    this.#decoder.reset();
    if (!head.keepsAlive) this.isClosed = true;
    return octets.subarray(end + 4);
  }

  #refuse(status: number, why: string): void {
    this.refusal = status;
    this.why = why;
  }

  #refuseLine(octets: Buffer, end: number): void {
    const refusal = this.#head.refusesLine(octets, end, DEFAULT_LIMITS);
    if (refusal) this.#refuse(refusal.status, refusal.why);
  }

  #readBody(request: ReadRequest, octets: Buffer): number {
    if (request.bodyLength >= 0) {
      const end = Math.min(octets.length, this.#left);
      this.#left -= end;
      request.body += octets.toString('latin1', 0, end);
      request.isComplete = this.#left === 0;
      return end;
    }
    const end = this.#decoder.decode(octets, 0, octets.length);
    request.body += octets.toString('latin1', this.#decoder.payloadStart, this.#decoder.payloadEnd);
    request.isComplete = this.#decoder.isDone;
    if (this.#decoder.isBroken) this.#refuse(400, `broken chunk at ${octetClasses(octets, end)}`);
    return end;
  }
}

/** `name: value` without white space around the value, RFC 9110 §5.5. */
export function normalLine(line: string): string {
  const colon = line.indexOf(':');
  return `${line.slice(0, colon)}: ${line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '')}`;
}

/** The kinds of the octet at `at` and of the two before it: roughly the state of a decoder. */
export function octetClasses(octets: Buffer, at: number): string {
  const classOf = (octet: number | undefined): string => {
    if (octet === undefined) return '-';
    const character = String.fromCharCode(octet);
    if (/[0-9a-f]/i.test(character)) return 'x';
    if (/[g-z]/i.test(character)) return 'a';
    if (/[\r\n\t ;="\\:,]/.test(character)) return JSON.stringify(character).slice(1, -1);
    return octet > 0x7f ? 'obs' : octet < 0x20 || octet === 0x7f ? 'ctl' : '.';
  };
  return [at - 2, at - 1, at].map((i) => classOf(octets[i])).join(' ');
}
