/**
 * Encodes FORWARD_REQUEST. Header fields come from the head that the proxy would send over HTTP. Attributes come from the proxy alone.
 * A field is always encoded as a field, so no client can set an attribute such as `remote_user` or `AJP_REMOTE_PORT`.
 */
import { HEADER_BYTES, MAX_PACKET_BYTES } from './packets.ts';

const FORWARD_REQUEST = 2;
const END_OF_ATTRIBUTES = 0xff;
/** Sent instead of a method without a code; the method is then in `stored_method`. */
const STORED_METHOD = 0xff;
/** First octet of a coded field name. So the length of a name that is sent as text must be below `0xa000`. */
const CODED_NAMES = 0xa000;

const ATTRIBUTE = {
  QUERY_STRING: 5,
  ROUTE: 6,
  SSL_CIPHER: 8,
  OTHER: 10,
  SSL_KEY_SIZE: 11,
  SECRET: 12,
  STORED_METHOD: 13,
} as const;

const METHODS: ReadonlyMap<string, number> = new Map(
  (
    'OPTIONS GET HEAD POST PUT DELETE TRACE PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK ACL REPORT VERSION-CONTROL CHECKIN ' +
    'CHECKOUT UNCHECKOUT SEARCH MKWORKSPACE UPDATE LABEL MERGE BASELINE-CONTROL MKACTIVITY'
  )
    .split(' ')
    .map((method, i) => [method, i + 1]),
);

const FIELDS: ReadonlyMap<string, number> = new Map(
  (
    'accept accept-charset accept-encoding accept-language authorization connection content-type content-length cookie cookie2 host ' +
    'pragma referer user-agent'
  )
    .split(' ')
    .map((name, i) => [name, CODED_NAMES + i + 1]),
);

/** Fields without a meaning in AJP: connections, upgrades and interim answers. */
const DROPPED: ReadonlySet<string> = new Set(['connection', 'upgrade', 'expect']);

/** What the proxy knows of the TLS connection of a client. */
export interface TlsFacts {
  readonly protocol: string;
  readonly cipher: string;
  /** Length of the key of the cipher, bits; 0 if unknown. */
  readonly keyBits: number;
}

/** Parts of a request that its head does not have. */
export interface RequestFacts {
  readonly remoteAddress: string;
  /** The client uses TLS, to this proxy or to a trusted proxy in front. */
  readonly isSecure: boolean;
  /** `undefined` without TLS, and if another proxy ends it. */
  readonly tls: TlsFacts | undefined;
  /** Octets of the body; -1 if unknown. */
  readonly bodyLength: number;
  readonly expectsContinue: boolean;
}

export interface ForwardRequest {
  /** The head for a node in HTTP/1.1, as `requestHeadText` writes it; latin1 text. */
  readonly head: string;
  readonly facts: RequestFacts;
  readonly route: string;
  /** `undefined`: the node requires none. */
  readonly secret: string | undefined;
}

/** Writes into memory that is used again for each packet. */
export class ForwardRequestEncoder {
  readonly #memory = Buffer.allocUnsafeSlow(MAX_PACKET_BYTES);
  readonly #maxBytes: number;
  #at = 0;
  #fits = true;

  /** `packetBytes`: largest packet that nodes accept, with its header. */
  constructor(packetBytes: number) {
    // The length of the payload has 16 bits.
    this.#maxBytes = Math.min(packetBytes, HEADER_BYTES + 0xffff, MAX_PACKET_BYTES);
  }

  /** The packet; `undefined` if it does not fit. */
  encode({ head, facts, route, secret }: ForwardRequest): Buffer | undefined {
    const lines = head.split('\r\n');
    const [method = '', target = '', version = ''] = lines[0]!.split(' ');
    const query = target.indexOf('?');
    const code = METHODS.get(method);
    const fields = fieldsOf(lines);
    const host = fields.find(({ name }) => name.toLowerCase() === 'host')?.value ?? '';
    this.#at = HEADER_BYTES;
    this.#fits = true;
    this.#octet(FORWARD_REQUEST);
    this.#octet(code ?? STORED_METHOD);
    this.#text(version);
    this.#text(query < 0 ? target : target.slice(0, query));
    this.#text(facts.remoteAddress);
    this.#text(facts.remoteAddress);
    const { name, port } = serverOf(host, facts.isSecure);
    this.#text(name);
    this.#number(port);
    this.#octet(facts.isSecure ? 1 : 0);
    this.#number(fields.length);
    for (const field of fields) {
      const known = FIELDS.get(field.name.toLowerCase());
      if (known !== undefined) this.#number(known);
      else if (field.name.length < CODED_NAMES) this.#text(field.name);
      else this.#fits = false;
      this.#text(field.value);
    }
    if (code === undefined) this.#attribute(ATTRIBUTE.STORED_METHOD, method);
    if (query >= 0) this.#attribute(ATTRIBUTE.QUERY_STRING, target.slice(query + 1));
    this.#attribute(ATTRIBUTE.ROUTE, route);
    if (facts.isSecure && facts.tls !== undefined) this.#tls(facts.tls);
    if (secret !== undefined) this.#attribute(ATTRIBUTE.SECRET, secret);
    this.#octet(END_OF_ATTRIBUTES);
    return this.#fits ? this.#packet() : undefined;
  }

  #packet(): Buffer {
    this.#memory.writeUInt16BE(0x1234, 0);
    this.#memory.writeUInt16BE(this.#at - HEADER_BYTES, 2);
    return Buffer.from(this.#memory.subarray(0, this.#at));
  }

  #tls({ protocol, cipher, keyBits }: TlsFacts): void {
    this.#attribute(ATTRIBUTE.SSL_CIPHER, cipher);
    if (keyBits > 0) {
      this.#octet(ATTRIBUTE.SSL_KEY_SIZE);
      this.#number(keyBits);
    }
    this.#octet(ATTRIBUTE.OTHER);
    this.#text('AJP_SSL_PROTOCOL');
    this.#text(protocol);
  }

  #attribute(code: number, value: string): void {
    this.#octet(code);
    this.#text(value);
  }

  #octet(value: number): void {
    if (this.#has(1)) this.#memory[this.#at++] = value;
  }

  #number(value: number): void {
    if (this.#has(2)) this.#at = this.#memory.writeUInt16BE(value, this.#at);
  }

  /** Length, octets, and a zero that does not count. */
  #text(text: string): void {
    if (!this.#has(text.length + 3)) return;
    this.#number(text.length);
    this.#at += this.#memory.write(text, this.#at, 'latin1');
    this.#octet(0);
  }

  #has(bytes: number): boolean {
    if (this.#at + bytes > this.#maxBytes) this.#fits = false;
    return this.#fits;
  }
}

interface Field {
  readonly name: string;
  readonly value: string;
}

function fieldsOf(lines: readonly string[]): Field[] {
  const fields: Field[] = [];
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i]!;
    const colon = line.indexOf(':');
    if (colon <= 0) continue;
    const name = line.slice(0, colon);
    if (!DROPPED.has(name.toLowerCase()))
      fields.push({ name, value: line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '') });
  }
  return fields;
}

/** Name and port of `host`, which is a valid `Host`. */
function serverOf(host: string, isSecure: boolean): { readonly name: string; readonly port: number } {
  const match = /^(.*):([0-9]*)$/.exec(host);
  const isPort = match !== null && (!match[1]!.includes(':') || match[1]!.endsWith(']'));
  const port = isPort ? Number(match[2]) : 0;
  return { name: isPort ? match[1]! : host, port: port > 0 && port < 65_536 ? port : isSecure ? 443 : 80 };
}
