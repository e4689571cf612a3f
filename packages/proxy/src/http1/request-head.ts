/**
 * Reads the head of a request, RFC 9112 §3 and §5, stricter than the RFC where it leaves a choice: any doubt about
 * framing is a refusal. Works on the head as latin1 text, so that one character is one octet.
 */

import { FIELD, type FieldKind, requestField } from './field-names.ts';
import {
  CONNECTION,
  connectionOptions,
  contentLength,
  hostOf,
  isAuthority,
  isChunkedOnly,
  isRemovable,
  isUnknownCoding,
  trimmed,
  withoutFields,
} from './field-rules.ts';
import { isToken, tokenEnd } from './octets.ts';

/** Bounds of a head. */
export interface HeadLimits {
  /** Longest request line, octets. */
  readonly maxLineBytes: number;
  /** All fields together, octets. */
  readonly maxFieldBytes: number;
  readonly maxFields: number;
}

/** Why a request is refused: the status to answer, and a sentence for the log. The connection is closed after it. */
export interface HeadRefusal {
  readonly status: 400 | 405 | 414 | 417 | 431 | 501 | 505 | 508;
  readonly why: string;
}

function refuse(status: HeadRefusal['status'], why: string): HeadRefusal {
  return { status, why };
}

/** Octets that may never stand in a head, a CR without LF, and an LF without CR (RFC 9112 §2.2, RFC 9110 §5.5). */
const FORBIDDEN = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n/;
/** What may stand in a request target: visible ASCII (RFC 9112 §3.2), but no backslash, which some read as a slash. */
const TARGET = /^[!-[\]-~]+$/;
/** The methods that Node's parser knows (RFC 9110 §16.1.1 and what WebDAV, UPnP and caches added), but CONNECT and TRACE. */
const METHODS: ReadonlySet<string> = new Set(
  (
    'GET HEAD POST PUT DELETE OPTIONS PATCH ACL BIND CHECKOUT COPY LINK LOCK M-SEARCH MERGE MKACTIVITY MKCALENDAR MKCOL MOVE ' +
    'NOTIFY PROPFIND PROPPATCH PURGE QUERY REBIND REPORT SEARCH SOURCE SUBSCRIBE UNBIND UNLINK UNLOCK UNSUBSCRIBE'
  ).split(' '),
);
const ABSOLUTE_FORM = /^(https?):\/\/([^/?#]*)([^#]*)$/i;

/**
 * One request's head. The object belongs to a connection and is filled anew for each request; `read` leaves it valid
 * only when it returns undefined.
 */
export class RequestHead {
  method = '';
  /** Origin form, or `*`. */
  target = '';
  /** As the node will see it. */
  authority = '';
  host = '';
  isHttp10 = false;
  cookie = '';
  /** The fields that are forwarded unchanged, each with its line end. */
  forwarded = '';
  /** Octets of the body; -1 chunked. */
  bodyLength = 0;
  /** The client keeps the connection open after this exchange. */
  keepsAlive = true;
  expectsContinue = false;
  /** Asks for a WebSocket. */
  wantsUpgrade = false;
  forwardedFor = '';
  /** `X-Forwarded-*`, `Forwarded` and `X-Real-IP` lines of the client. */
  forwardedOther = '';
  requestId = '';
  via = '';
  maxForwards = -1;
  /** The client speaks TLS, to us or to a trusted proxy in front. Set by the connection, not by `read`. */
  isSecure = false;

  /** Reads `text`, a head without its final empty line. */
  read(text: string, limits: HeadLimits): HeadRefusal | undefined {
    const lineEnd = text.indexOf('\r\n');
    const end = lineEnd < 0 ? text.length : lineEnd;
    if (end > limits.maxLineBytes) return refuse(414, `request line of ${end} octets`);
    if (FORBIDDEN.test(text)) return refuse(400, 'a control character, bare CR or bare LF in the head');
    return this.#readLine(text, end) ?? this.#readFields(text, end + 2, limits) ?? this.#finish();
  }

  /** RFC 9112 §3: method SP target SP version, single spaces. */
  #readLine(text: string, end: number): HeadRefusal | undefined {
    const methodEnd = tokenEnd(text, 0, end);
    if (methodEnd === 0 || text.charCodeAt(methodEnd) !== 0x20 || methodEnd > 64)
      return refuse(400, 'the method is not a token');
    const version = end - 9;
    if (version <= methodEnd || !text.startsWith(' HTTP/', version) || text.charCodeAt(end - 2) !== 0x2e)
      return refuse(400, 'the request line has no version');
    const major = text.charCodeAt(end - 3);
    const minor = text.charCodeAt(end - 1);
    if (major < 0x30 || major > 0x39 || minor < 0x30 || minor > 0x39) return refuse(400, 'the version is not a number');
    if (major !== 0x31 || minor > 0x31) return refuse(505, `version ${text.slice(end - 8, end)}`);
    this.isHttp10 = minor === 0x30;
    this.method = text.slice(0, methodEnd);
    this.target = text.slice(methodEnd + 1, version);
    if (!TARGET.test(this.target)) return refuse(400, 'the target has an octet that is not visible ASCII');
    if (this.method === 'CONNECT' || this.method === 'TRACE' || this.method === 'TRACK')
      return refuse(405, `${this.method} is not served`);
    if (!METHODS.has(this.method)) return refuse(501, 'the method is not known');
    this.authority = '';
    return undefined;
  }

  #reset(): void {
    this.host = '';
    this.cookie = '';
    this.forwarded = '';
    this.bodyLength = 0;
    this.keepsAlive = !this.isHttp10;
    this.expectsContinue = false;
    this.wantsUpgrade = false;
    this.forwardedFor = '';
    this.forwardedOther = '';
    this.requestId = '';
    this.via = '';
    this.maxForwards = -1;
  }

  #readFields(text: string, start: number, limits: HeadLimits): HeadRefusal | undefined {
    this.#reset();
    if (text.length - start > limits.maxFieldBytes) return refuse(431, `fields of ${text.length - start} octets`);
    let hosts = 0;
    let lengths = 0;
    let codings = 0;
    let connection = 0;
    let upgrade = '';
    let nominated: string[] | undefined;
    let runStart = start;
    let fields = 0;
    for (let at = start; at < text.length; ) {
      if (++fields > limits.maxFields) return refuse(431, `more than ${limits.maxFields} fields`);
      let lineEnd = text.indexOf('\r\n', at);
      if (lineEnd < 0) lineEnd = text.length;
      const nameEnd = tokenEnd(text, at, lineEnd);
      // RFC 9112 §5.1 no space before the colon, §5.2 no folding, §2.2 no white space before the first field.
      if (nameEnd === at || text.charCodeAt(nameEnd) !== 0x3a) return refuse(400, 'a field line without a valid name');
      const kind: FieldKind = requestField(text, at, nameEnd - at);
      const next = lineEnd + 2;
      // RFC 9110 §7.6.2: Max-Forwards means something with OPTIONS (and TRACE) only.
      if (kind === FIELD.OTHER || (kind === FIELD.MAX_FORWARDS && this.method !== 'OPTIONS')) {
        at = next;
        continue;
      }
      if (runStart < at) this.forwarded += text.slice(runStart, at);
      runStart = next;
      const value = trimmed(text, nameEnd + 1, lineEnd);
      switch (kind) {
        case FIELD.HOST:
          if (++hosts > 1) return refuse(400, 'more than one Host');
          if (!isAuthority(value)) return refuse(400, 'Host is not a host and port');
          this.authority = value;
          break;
        case FIELD.CONTENT_LENGTH:
          if (++lengths > 1) return refuse(400, 'more than one Content-Length');
          this.bodyLength = contentLength(value);
          if (this.bodyLength < 0) return refuse(400, 'Content-Length is not a number of octets');
          break;
        case FIELD.TRANSFER_ENCODING:
          if (++codings > 1) return refuse(400, 'more than one Transfer-Encoding');
          if (!isChunkedOnly(value))
            return refuse(isUnknownCoding(value) ? 501 : 400, 'Transfer-Encoding is not chunked');
          break;
        case FIELD.CONNECTION:
          nominated ??= [];
          connection |= connectionOptions(value, nominated);
          break;
        case FIELD.COOKIE:
          this.cookie = this.cookie === '' ? value : `${this.cookie}; ${value}`;
          break;
        case FIELD.EXPECT:
          // RFC 9110 §10.1.1: ignored in HTTP/1.0, refused when it is not the one we know.
          if (this.isHttp10) break;
          if (value.toLowerCase() !== '100-continue') return refuse(417, 'an expectation other than 100-continue');
          this.expectsContinue = true;
          break;
        case FIELD.UPGRADE:
          upgrade = upgrade === '' ? value : `${upgrade}, ${value}`;
          break;
        case FIELD.FORWARDED_FOR:
          this.forwardedFor = this.forwardedFor === '' ? value : `${this.forwardedFor}, ${value}`;
          break;
        case FIELD.FORWARDED_OTHER:
          this.forwardedOther += `${text.slice(at, lineEnd)}\r\n`;
          break;
        case FIELD.REQUEST_ID:
          this.requestId = value;
          break;
        case FIELD.VIA:
          this.via = this.via === '' ? value : `${this.via}, ${value}`;
          break;
        case FIELD.MAX_FORWARDS:
          if (/^[0-9]{1,9}$/.test(value)) this.maxForwards = Number(value);
          break;
        default:
          break;
      }
      at = next;
    }
    if (runStart < text.length) this.forwarded += `${text.slice(runStart)}\r\n`;
    if (codings > 0 && lengths > 0) return refuse(400, 'Transfer-Encoding and Content-Length together');
    if (codings > 0 && this.isHttp10) return refuse(400, 'Transfer-Encoding in HTTP/1.0');
    if (codings > 0) this.bodyLength = -1;
    if (hosts === 0 && !this.isHttp10) return refuse(400, 'no Host');
    if ((connection & CONNECTION.NAMES_FIELDS) !== 0) this.#dropNominated(nominated ?? []);
    this.#readConnection(connection, upgrade);
    // Nothing to wait for when there is no body.
    if (this.bodyLength === 0) this.expectsContinue = false;
    return undefined;
  }

  #readConnection(connection: number, upgrade: string): void {
    if ((connection & CONNECTION.CLOSE) !== 0) this.keepsAlive = false;
    else if (this.isHttp10) this.keepsAlive = (connection & CONNECTION.KEEP_ALIVE) !== 0;
    // RFC 9110 §7.8: only with the connection option, never in 1.0. We know one protocol; others are not offered.
    this.wantsUpgrade =
      (connection & CONNECTION.UPGRADE) !== 0 &&
      !this.isHttp10 &&
      this.method === 'GET' &&
      this.bodyLength === 0 &&
      upgrade.toLowerCase() === 'websocket';
  }

  /** RFC 9110 §7.6.1: fields that `Connection` names go no further, except those without which the message lies. */
  #dropNominated(names: readonly string[]): void {
    const drop = new Set(names.filter(isRemovable));
    this.forwarded = withoutFields(this.forwarded, drop);
    this.forwardedOther = withoutFields(this.forwardedOther, drop);
    if (drop.has('x-forwarded-for')) this.forwardedFor = '';
    if (drop.has('x-request-id')) this.requestId = '';
  }

  /** RFC 9112 §3.2: origin, absolute and asterisk form. */
  #finish(): HeadRefusal | undefined {
    const { target } = this;
    if (target.charCodeAt(0) === 0x2f) {
      if (target.includes('#')) return refuse(400, 'a fragment in the target');
    } else if (target === '*') {
      if (this.method !== 'OPTIONS') return refuse(400, 'the target * is for OPTIONS');
    } else {
      const absolute = ABSOLUTE_FORM.exec(target);
      if (!absolute) return refuse(400, 'the target is not a path');
      const authority = absolute[2]!;
      if (!isAuthority(authority)) return refuse(400, 'the authority of the target is not a host and port');
      // RFC 9112 §3.2.2: the target's authority replaces Host.
      this.authority = authority;
      const path = absolute[3]!;
      if (this.method === 'OPTIONS' && path === '') this.target = '*';
      else this.target = path.startsWith('/') ? path : `/${path}`;
    }
    this.host = this.authority === '' ? '' : hostOf(this.authority);
    return undefined;
  }
}

/** True for methods that may be sent again, RFC 9110 §9.2.2. */
export function isIdempotent(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS' || method === 'PUT' || method === 'DELETE';
}

/** True when `text` is a request id that may be passed on: short and plain. */
export function isRequestId(text: string): boolean {
  return text.length <= 128 && isToken(text, 0, text.length);
}
