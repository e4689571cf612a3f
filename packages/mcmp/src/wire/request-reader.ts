/**
 * Reads MCMP requests from the octets of one connection: HTTP/1.1 with private methods, bodies by Content-Length only. Stricter than
 * httpd: no folded fields, no bare LF, no chunked bodies, no second Content-Length or Host.
 *
 * Text is latin1: one character per octet, so that names are kept exactly. Pure: the listener owns the socket.
 */

/** The request head, without the empty line, in octets. */
const MAX_HEAD = 8_192;
const MAX_FIELDS = 50;
/** Larger than a CONFIG with 128 contexts and 64 aliases of usual length. */
const MAX_BODY = 16_384;

const REQUEST_LINE = /^([A-Za-z][A-Za-z-]{0,31}) (\S{1,1024}) HTTP\/1\.([01])$/;
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*$/;
const TARGET = /^(?:\*|\/[!-~]*)$/;
const ABSOLUTE = /^https?:\/\/[^/?#\s]{1,255}(\/[!-~]*)?$/i;

/** One request as received. */
export interface WireRequest {
  readonly type: 'request';
  /** In upper case: method names of MCMP are not case-sensitive. */
  readonly method: string;
  /** `*`, or a path. An absolute target is reduced to its path. */
  readonly target: string;
  /** Value of the Accept field; empty without one. */
  readonly accept: string;
  readonly body: string;
  /** The connection stays open after the answer. */
  readonly isKeptAlive: boolean;
}

/** The connection must be answered with `status`, and closed. */
export interface WireFault {
  readonly type: 'fault';
  readonly status: 400 | 411 | 413 | 417 | 431;
  readonly reason: string;
}

/** The client waits for `100 Continue` before it sends the body. */
export interface WireContinue {
  readonly type: 'continue';
}

interface Head extends Omit<WireRequest, 'type' | 'body'> {
  readonly length: number;
  readonly expectsContinue: boolean;
}

export class RequestReader {
  #text = '';
  #head: Head | undefined;
  #isOver = false;

  /** Adds received octets, as latin1 text. Ignored after a fault. */
  push(text: string): void {
    if (!this.#isOver) this.#text += text;
  }

  /** Characters that are received and not read yet: the caller stops reading while there are more than it wants. */
  get pending(): number {
    return this.#text.length;
  }

  /** Whether a request has begun and is not complete. */
  get isInside(): boolean {
    return this.#head !== undefined || this.#text.length > 0;
  }

  /** The next request or its fault; `undefined` while octets are missing, and after a fault. */
  next(): WireRequest | WireFault | WireContinue | undefined {
    if (this.#isOver) return undefined;
    if (this.#head === undefined) {
      // RFC 9112 section 2.2: one empty line before a request is ignored.
      if (this.#text.startsWith('\r\n')) this.#text = this.#text.slice(2);
      const end = this.#text.indexOf('\r\n\r\n');
      if (end > MAX_HEAD || (end < 0 && this.#text.length > MAX_HEAD)) return this.#fault(431, 'the head is too long');
      if (end < 0) return /(?:^|[^\r])\n/.test(this.#text) ? this.#fault(400, 'a line ends with LF alone') : undefined;
      const head = readHead(this.#text.slice(0, end));
      if ('status' in head) return this.#fault(head.status, head.reason);
      this.#head = head;
      this.#text = this.#text.slice(end + 4);
      if (head.expectsContinue && this.#text.length < head.length) return { type: 'continue' };
    }
    const { length, expectsContinue: _, ...request } = this.#head;
    if (this.#text.length < length) return undefined;
    const body = this.#text.slice(0, length);
    this.#text = this.#text.slice(length);
    this.#head = undefined;
    return { type: 'request', ...request, body };
  }

  #fault(status: WireFault['status'], reason: string): WireFault {
    this.#isOver = true;
    this.#text = '';
    return { type: 'fault', status, reason };
  }
}

type HeadFault = Pick<WireFault, 'status' | 'reason'>;

function readHead(text: string): Head | HeadFault {
  const [first = '', ...lines] = text.split('\r\n');
  const match = REQUEST_LINE.exec(first);
  if (!match) return { status: 400, reason: 'the request line cannot be read' };
  const [, method = '', rawTarget = '', minor] = match;
  const target = targetOf(rawTarget);
  if (target === undefined) return { status: 400, reason: 'the target is no path' };
  if (lines.length > MAX_FIELDS) return { status: 431, reason: 'too many fields' };
  const fields = readFields(lines);
  if (fields === undefined) return { status: 400, reason: 'a field cannot be read' };
  const hosts = fields.get('host') ?? [];
  if (hosts.length > 1 || (hosts.length === 0 && minor === '1')) return { status: 400, reason: 'no single Host' };
  if (fields.has('transfer-encoding')) return { status: 411, reason: 'a body needs a Content-Length' };
  const length = lengthOf(fields.get('content-length') ?? ['0']);
  if (typeof length !== 'number') return length;
  const expectation = (fields.get('expect') ?? []).join(',').toLowerCase();
  if (expectation !== '' && expectation !== '100-continue') return { status: 417, reason: 'an unknown expectation' };
  const options = (fields.get('connection') ?? [])
    .join(',')
    .toLowerCase()
    .split(/[ \t]*,[ \t]*/);
  const isKeptAlive = minor === '1' ? !options.includes('close') : options.includes('keep-alive');
  return {
    method: method.toUpperCase(),
    target,
    accept: (fields.get('accept') ?? []).join(','),
    isKeptAlive,
    length,
    expectsContinue: expectation !== '' && minor === '1',
  };
}

function targetOf(text: string): string | undefined {
  if (TARGET.test(text)) return text;
  const match = ABSOLUTE.exec(text);
  return match ? (match[1] ?? '/') : undefined;
}

function readFields(lines: readonly string[]): Map<string, string[]> | undefined {
  const fields = new Map<string, string[]>();
  for (const line of lines) {
    const match = FIELD.exec(line);
    if (!match) return undefined;
    const name = match[1]!.toLowerCase();
    const values = fields.get(name);
    if (values) values.push(match[2]!);
    else fields.set(name, [match[2]!]);
  }
  return fields;
}

function lengthOf(values: readonly string[]): number | HeadFault {
  const [value = ''] = values;
  if (values.length > 1 || !/^[0-9]{1,15}$/.test(value)) return { status: 400, reason: 'no single Content-Length' };
  const length = Number(value);
  return length > MAX_BODY ? { status: 413, reason: `the body has more than ${MAX_BODY} octets` } : length;
}
