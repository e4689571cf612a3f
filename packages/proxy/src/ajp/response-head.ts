/**
 * The head of an answer in SEND_HEADERS, written as a head of HTTP/1.1. So `http1/response-head.ts` applies the same rules and limits as for
 * nodes with HTTP. Never throws, and never reads beyond the packet.
 */
import { STATUS_CODES } from 'node:http';
import { isToken } from '../http1/octets.ts';

const CODED_NAMES = 0xa000;
const NAMES: readonly string[] = [
  'Content-Type',
  'Content-Language',
  'Content-Length',
  'Date',
  'Last-Modified',
  'Location',
  'Set-Cookie',
  'Set-Cookie2',
  'Servlet-Engine',
  'Status',
  'WWW-Authenticate',
];
/** AJP has a framing of its own: this field would change how the body is read. */
const TRANSFER_ENCODING = 'transfer-encoding';

/** Reads one packet from its first octet on. Each method returns undefined if the packet is too short. */
class Cursor {
  readonly #packet: Buffer;
  #at = 0;

  constructor(packet: Buffer) {
    this.#packet = packet;
  }

  skip(bytes: number): void {
    this.#at += bytes;
  }

  number(): number | undefined {
    if (this.#at + 2 > this.#packet.length) return undefined;
    this.#at += 2;
    return this.#packet.readUInt16BE(this.#at - 2);
  }

  /** A text with its length, and a zero behind it. The length 0xffff means no text. */
  text(): string | undefined {
    const length = this.number();
    return length === 0xffff ? '' : length === undefined ? undefined : this.textOf(length);
  }

  textOf(length: number): string | undefined {
    const start = this.#at;
    this.#at += length + 1;
    if (this.#at > this.#packet.length || this.#packet[this.#at - 1] !== 0) return undefined;
    return this.#packet.toString('latin1', start, this.#at - 1);
  }

  name(): string | undefined {
    const first = this.number();
    if (first === undefined) return undefined;
    return first >= CODED_NAMES ? NAMES[first - CODED_NAMES - 1] : this.textOf(first);
  }

  get isAtEnd(): boolean {
    return this.#at === this.#packet.length;
  }
}

/** The head with its empty line, as octets; otherwise a sentence about the error. */
export function responseHead(packet: Buffer): Buffer | string {
  const cursor = new Cursor(packet);
  cursor.skip(1);
  const status = cursor.number();
  const message = cursor.text();
  const count = cursor.number();
  if (status === undefined || message === undefined || count === undefined) return 'a head that is too short';
  if (status < 100 || status > 599) return `a head with the status ${status}`;
  let text = `HTTP/1.1 ${status} ${reasonOf(status, message)}\r\n`;
  for (let i = 0; i < count; i++) {
    const name = cursor.name();
    const value = name === undefined ? undefined : cursor.text();
    if (name === undefined || value === undefined) return 'a head that is too short, or has an unknown field';
    if (!isToken(name, 0, name.length)) return 'a field without a valid name';
    // A line end in a value would begin another field.
    if (/[\0\r\n]/.test(value)) return 'a control character in a field value';
    if (name.toLowerCase() !== TRANSFER_ENCODING) text += `${name}: ${value}\r\n`;
  }
  if (!cursor.isAtEnd) return 'octets behind the head';
  return Buffer.from(`${text}\r\n`, 'latin1');
}

/** Tomcat sends the status as its own reason. */
function reasonOf(status: number, message: string): string {
  return message === '' || message === String(status) || /[\0-\x1f\x7f]/.test(message)
    ? (STATUS_CODES[status] ?? '')
    : message;
}
