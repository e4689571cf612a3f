/**
 * Reads the head of a node's response, RFC 9112 §4 to §6, and makes the client's head of it. A broken head is the
 * node's fault and becomes 502; nothing of it reaches the client.
 */

import { FIELD, responseField } from './field-names.ts';
import {
  CONNECTION,
  connectionOptions,
  contentLength,
  isChunkedOnly,
  isRemovable,
  keepAliveTimeoutMs,
  publicLocation,
  trimmed,
  withoutFields,
} from './field-rules.ts';
import { isBlank, tokenEnd } from './octets.ts';
import type { HeadLimits } from './request-head.ts';

const FORBIDDEN = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n/;

/** How the body of a response ends. */
export type ResponseFraming = 'none' | 'length' | 'chunked' | 'close';

/** What of the request and its routing shapes the client's head. */
export interface ResponseEdits {
  readonly nodeAuthority: string;
  /** `http://shop.example`, for `Location`; `''` when the client gave no Host. */
  readonly publicOrigin: string;
  readonly rewriteCookies: readonly string[];
  readonly rewriteRoute: string;
}

/** One response's head. Filled anew for each response of a connection; valid only when `read` returned undefined. */
export class ResponseHead {
  status = 0;
  reason = '';
  isHttp10 = false;
  /** Fields for the client, each with its line end; framing and connection fields are not among them. */
  forwarded = '';
  framing: ResponseFraming = 'none';
  /** Octets of the body, or what a HEAD or 304 response says of it; -1 when it says nothing. */
  bodyLength = -1;
  /** The node keeps its connection open. */
  keepsAlive = true;
  keepAliveMs: number | undefined;
  upgrade = '';
  load = '';

  /** Reads `text`, a head without its final empty line; a sentence saying what is wrong, or undefined. */
  read(text: string, method: string, edits: ResponseEdits, limits: HeadLimits): string | undefined {
    if (FORBIDDEN.test(text)) return 'a control character, bare CR or bare LF in the head';
    const lineEnd = text.indexOf('\r\n');
    return (
      this.#readLine(text, lineEnd < 0 ? text.length : lineEnd) ??
      this.#readFields(text, lineEnd < 0 ? text.length : lineEnd + 2, method, edits, limits)
    );
  }

  /** RFC 9112 §4: version SP three digits SP reason; the last space may be missing. */
  #readLine(text: string, end: number): string | undefined {
    const is11 = text.startsWith('HTTP/1.1 ');
    if (!is11 && !text.startsWith('HTTP/1.0 ')) return 'not an HTTP/1.x status line';
    const hundreds = text.charCodeAt(9) - 0x30;
    const tens = text.charCodeAt(10) - 0x30;
    const ones = text.charCodeAt(11) - 0x30;
    if (end < 12 || hundreds < 1 || hundreds > 5 || tens < 0 || tens > 9 || ones < 0 || ones > 9)
      return 'no status from 100 to 599';
    if (end > 12 && text.charCodeAt(12) !== 0x20) return 'no space after the status';
    this.status = hundreds * 100 + tens * 10 + ones;
    this.reason = end > 13 ? text.slice(13, end) : '';
    this.isHttp10 = !is11;
    return undefined;
  }

  #readFields(
    text: string,
    start: number,
    method: string,
    edits: ResponseEdits,
    limits: HeadLimits,
  ): string | undefined {
    this.forwarded = '';
    this.bodyLength = -1;
    this.keepAliveMs = undefined;
    this.upgrade = '';
    this.load = '';
    if (text.length - start > limits.maxFieldBytes) return `fields of ${text.length - start} octets`;
    let connection = 0;
    let nominated: string[] | undefined;
    let codings = 0;
    let isChunked = false;
    let fields = 0;
    let runStart = start;
    for (let at = start; at < text.length; ) {
      if (++fields > limits.maxFields) return `more than ${limits.maxFields} fields`;
      let lineEnd = text.indexOf('\r\n', at);
      if (lineEnd < 0) lineEnd = text.length;
      const nameEnd = tokenEnd(text, at, lineEnd);
      let colon = nameEnd;
      // RFC 9112 §5.1: a proxy removes white space before the colon of a response field.
      while (colon < lineEnd && isBlank(text.charCodeAt(colon))) colon++;
      if (nameEnd === at || text.charCodeAt(colon) !== 0x3a) return 'a field line without a valid name';
      const kind = responseField(text, at, nameEnd - at);
      const next = lineEnd + 2;
      if (kind === FIELD.OTHER && colon === nameEnd) {
        at = next;
        continue;
      }
      if (runStart < at) this.forwarded += text.slice(runStart, at);
      runStart = next;
      const value = trimmed(text, colon + 1, lineEnd);
      switch (kind) {
        case FIELD.CONTENT_LENGTH: {
          const length = contentLength(value);
          if (length < 0) return 'Content-Length is not a number of octets';
          if (this.bodyLength >= 0) return 'more than one Content-Length';
          this.bodyLength = length;
          break;
        }
        case FIELD.TRANSFER_ENCODING:
          if (++codings > 1 || !isChunkedOnly(value)) return 'Transfer-Encoding is not chunked';
          isChunked = true;
          break;
        case FIELD.CONNECTION:
          nominated ??= [];
          connection |= connectionOptions(value, nominated);
          break;
        case FIELD.KEEP_ALIVE:
          this.keepAliveMs = keepAliveTimeoutMs(value);
          break;
        case FIELD.UPGRADE:
          this.upgrade = this.upgrade === '' ? value : `${this.upgrade}, ${value}`;
          break;
        case FIELD.LOAD:
          if (value.length <= 64) this.load = value;
          break;
        case FIELD.SET_COOKIE:
          this.forwarded += `Set-Cookie: ${editCookie(value, edits)}\r\n`;
          break;
        case FIELD.LOCATION:
          this.forwarded += `${text.slice(at, nameEnd)}: ${edits.publicOrigin === '' ? value : publicLocation(value, edits.nodeAuthority, edits.publicOrigin)}\r\n`;
          break;
        case FIELD.OTHER:
          this.forwarded += `${text.slice(at, nameEnd)}: ${value}\r\n`;
          break;
        default:
          break;
      }
      at = next;
    }
    if (runStart < text.length) this.forwarded += `${text.slice(runStart)}\r\n`;
    if ((connection & CONNECTION.NAMES_FIELDS) !== 0) this.#dropNominated(nominated ?? []);
    this.keepsAlive =
      (connection & CONNECTION.CLOSE) === 0 && (!this.isHttp10 || (connection & CONNECTION.KEEP_ALIVE) !== 0);
    return this.#decideFraming(method, isChunked);
  }

  #dropNominated(names: readonly string[]): void {
    this.forwarded = withoutFields(this.forwarded, new Set(names.filter(isRemovable)));
  }

  /** RFC 9112 §6.3. */
  #decideFraming(method: string, isChunked: boolean): string | undefined {
    const { status } = this;
    if (isChunked && this.bodyLength >= 0) return 'Transfer-Encoding and Content-Length together';
    if (isChunked && this.isHttp10) return 'Transfer-Encoding in HTTP/1.0';
    if (status < 200 || status === 204) {
      // §6.1: neither may be sent with these; what the node says of a body cannot be believed, so it is dropped.
      if (isChunked || this.bodyLength > 0) this.keepsAlive = false;
      this.framing = 'none';
      this.bodyLength = -1;
    } else if (method === 'HEAD' || status === 304) this.framing = 'none';
    else if (isChunked) this.framing = 'chunked';
    else if (this.bodyLength >= 0) this.framing = this.bodyLength === 0 ? 'none' : 'length';
    else {
      this.framing = 'close';
      this.keepsAlive = false;
    }
    return undefined;
  }
}

/** `value` of a `Set-Cookie` with the route appended, when its name is among those to rewrite. */
function editCookie(value: string, { rewriteCookies, rewriteRoute }: ResponseEdits): string {
  if (rewriteCookies.length === 0) return value;
  const equals = value.indexOf('=');
  if (equals < 0 || !rewriteCookies.includes(value.slice(0, equals).trim())) return value;
  const semicolon = value.indexOf(';', equals);
  const end = semicolon < 0 ? value.length : semicolon;
  const id = value.slice(equals + 1, end).trim();
  if (id === '') return value;
  const isQuoted = id.length > 1 && id.startsWith('"') && id.endsWith('"');
  const routed = isQuoted ? `"${id.slice(1, -1)}.${rewriteRoute}"` : `${id}.${rewriteRoute}`;
  return `${value.slice(0, equals + 1)}${routed}${value.slice(end)}`;
}
