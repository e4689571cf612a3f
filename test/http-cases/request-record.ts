/** Requests that a node received, parsed as strictly as RFC 9112 allows; every deviation is noted. */

/** One request as it reached the node. */
export interface ReceivedRequest {
  readonly method: string;
  readonly target: string;
  readonly version: string;
  /** Lower-case names and their values, in order. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  body: string;
  isComplete: boolean;
  /** Codes of what a proxy must not send. */
  readonly faults: string[];
}

/** Values of one field, in order. */
export function valuesOf(fields: ReceivedRequest['fields'], name: string): string[] {
  return fields.filter(([own]) => own === name).map(([, value]) => value);
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const HOST = /^(?:[A-Za-z0-9\-._~!$&'()*+,;=%]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?$/;
const CHUNK_LINE = /^([0-9A-Fa-f]{1,13})(?:;[\t\x20-\x7e]*)?$/;

/** Reads requests from text that comes in any pieces. */
export class RequestRecord {
  readonly requests: ReceivedRequest[] = [];
  /** Octets after an upgrade; `undefined` while there is none. */
  tunnel: string | undefined;
  /** Octets that belong to no request. */
  rest = '';
  /** The rest of the input cannot be parsed. */
  isDead = false;
  readonly #onHead: (request: ReceivedRequest) => void;
  readonly #onComplete: (request: ReceivedRequest) => void;
  #current: ReceivedRequest | undefined;
  #readBody: () => 'more' | 'done' | 'broken' = () => 'done';

  constructor(onHead: (request: ReceivedRequest) => void, onComplete: (request: ReceivedRequest) => void) {
    this.#onHead = onHead;
    this.#onComplete = onComplete;
  }

  push(octets: string): void {
    if (this.tunnel !== undefined) {
      this.tunnel += octets;
      return;
    }
    this.rest += octets;
    while (!this.isDead && this.#advance());
  }

  /** True when something was read. */
  #advance(): boolean {
    const request = this.#current ?? this.#nextHead();
    if (!request) return false;
    if (this.tunnel !== undefined) {
      this.tunnel = this.rest;
      this.rest = '';
      request.isComplete = true;
      this.#current = undefined;
      return false;
    }
    const outcome = this.#readBody();
    if (outcome === 'more') return false;
    if (outcome === 'broken') {
      this.isDead = true;
      return false;
    }
    request.isComplete = true;
    this.#current = undefined;
    this.#onComplete(request);
    return true;
  }

  #nextHead(): ReceivedRequest | undefined {
    const end = /\r?\n\r?\n/.exec(this.rest);
    if (!end) return undefined;
    const request = readHead(this.rest.slice(0, end.index), end[0] === '\r\n\r\n');
    this.rest = this.rest.slice(end.index + end[0].length);
    this.#current = request;
    this.requests.push(request);
    this.#readBody = this.#bodyReader(request);
    this.#onHead(request);
    return request;
  }

  #bodyReader(request: ReceivedRequest): () => 'more' | 'done' | 'broken' {
    const lengths = valuesOf(request.fields, 'content-length');
    const codings = valuesOf(request.fields, 'transfer-encoding');
    if (lengths.length > 0 && codings.length > 0) request.faults.push('TE-and-CL');
    if (codings.length > 0) {
      if (request.version === 'HTTP/1.0') request.faults.push('TE-1.0');
      if (codings.join(',').trim().toLowerCase() === 'chunked') return () => this.#readChunk(request);
      request.faults.push('badTE');
      return () => 'broken';
    }
    if (lengths.length === 0) return () => 'done';
    if (lengths.length > 1 || !/^[0-9]{1,15}$/.test(lengths[0]!)) {
      request.faults.push('badCL');
      return () => 'broken';
    }
    const length = Number(lengths[0]);
    return () => {
      const part = this.rest.slice(0, length - request.body.length);
      this.rest = this.rest.slice(part.length);
      request.body += part;
      return request.body.length === length ? 'done' : 'more';
    };
  }

  /** Reads all complete chunks. */
  #readChunk(request: ReceivedRequest): 'more' | 'done' | 'broken' {
    for (;;) {
      const lineEnd = this.rest.indexOf('\r\n');
      if (lineEnd < 0) return 'more';
      const line = CHUNK_LINE.exec(this.rest.slice(0, lineEnd));
      if (!line) {
        request.faults.push('chunk');
        return 'broken';
      }
      const size = Number.parseInt(line[1]!, 16);
      if (size === 0) return this.#readTrailers(request, lineEnd + 2);
      const end = lineEnd + 2 + size;
      if (this.rest.length < end + 2) return 'more';
      if (this.rest.slice(end, end + 2) !== '\r\n') {
        request.faults.push('chunk');
        return 'broken';
      }
      request.body += this.rest.slice(lineEnd + 2, end);
      this.rest = this.rest.slice(end + 2);
    }
  }

  #readTrailers(request: ReceivedRequest, start: number): 'more' | 'done' | 'broken' {
    for (let at = start; ; ) {
      const lineEnd = this.rest.indexOf('\r\n', at);
      if (lineEnd < 0) return 'more';
      const line = this.rest.slice(at, lineEnd);
      at = lineEnd + 2;
      if (line === '') {
        this.rest = this.rest.slice(at);
        return 'done';
      }
      if (!TOKEN.test(line.slice(0, line.indexOf(':')))) {
        request.faults.push('chunk');
        return 'broken';
      }
    }
  }
}

function readHead(head: string, endsStrictly: boolean): ReceivedRequest {
  const faults: string[] = [];
  if (!endsStrictly || /(?<!\r)\n/.test(head)) faults.push('bareLF');
  if (/\r(?!\n)/.test(head)) faults.push('bareCR');
  if (head.includes('\0')) faults.push('NUL');
  const [first = '', ...lines] = head.split(/\r?\n/);
  const start = /^([^\s]+) ([^\s]+) (HTTP\/1\.[01])$/.exec(first);
  if (!start || !TOKEN.test(start[1]!)) faults.push('request-line');
  const fields: [string, string][] = [];
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon));
    if (/^[ \t]/.test(line)) faults.push('fold');
    else if (colon < 0) faults.push('nocolon');
    else if (/[ \t]$/.test(name)) faults.push('ws-colon');
    else if (!TOKEN.test(name)) faults.push('name');
    fields.push([name.trim().toLowerCase(), line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '')]);
  }
  const hosts = valuesOf(fields, 'host');
  if (hosts.length === 0) faults.push('noHost');
  if (hosts.length > 1) faults.push('dupHost');
  if (hosts.length > 0 && !HOST.test(hosts[0]!)) faults.push('badHost');
  return {
    method: start?.[1] ?? first,
    target: start?.[2] ?? '',
    version: start?.[3] ?? '',
    fields,
    body: '',
    isComplete: false,
    faults,
  };
}
