/**
 * Reads the head of a request, RFC 9112 §3 and §5, stricter than the RFC where it leaves a choice: ambiguous framing is refused. One pass
 * over the octets. The results are latin1 text, one character per octet.
 */

import { FIELD, isReadInPlace, requestField } from './field-names.ts';
import {
  bindsConnection,
  CONNECTION,
  connectionOptions,
  contentLength,
  fieldValue,
  hostOf,
  isAuthority,
  isChunkedOnly,
  isKeepAlive,
  isRemovable,
  isUnknownCoding,
  trimmedEnd,
  trimmedStart,
  withoutFields,
} from './field-rules.ts';
import { withoutLogin } from './login-cookie.ts';
import { isLineEnd, isToken, latin1, targetEnd, tokenEnd, valueEnd } from './octets.ts';
import { RepeatedFields } from './repeated-fields.ts';

/** Limits of a head. */
export interface HeadLimits {
  /** Longest request line, octets. */
  readonly maxLineBytes: number;
  /** All fields together, octets. */
  readonly maxFieldBytes: number;
  readonly maxFields: number;
}

/** A refused request: the status of the answer, and a sentence for the log. The connection is closed after it. */
export interface HeadRefusal {
  readonly status: 400 | 405 | 414 | 417 | 431 | 501 | 505 | 508;
  readonly why: string;
}

function refuse(status: HeadRefusal['status'], why: string): HeadRefusal {
  return { status, why };
}

const SPACE = 0x20;
const SLASH = 0x2f;
const COLON = 0x3a;
/** The methods of Node's parser (RFC 9110 §16.1.1, with additions of WebDAV, UPnP and caches) without CONNECT and TRACE. */
const METHODS: ReadonlySet<string> = new Set(
  (
    'GET HEAD POST PUT DELETE OPTIONS PATCH ACL BIND CHECKOUT COPY LINK LOCK M-SEARCH MERGE MKACTIVITY MKCALENDAR MKCOL MOVE ' +
    'NOTIFY PROPFIND PROPPATCH PURGE QUERY REBIND REPORT SEARCH SOURCE SUBSCRIBE UNBIND UNLINK UNLOCK UNSUBSCRIBE'
  ).split(' '),
);
const ABSOLUTE_FORM = /^(https?):\/\/([^/?#]*)([^#]*)$/i;

/**
 * The head of one request. The object belongs to a connection and is filled again for each request. It is valid only if `read` returned
 * undefined.
 */
export class RequestHead {
  method = '';
  /** Origin form, or `*`. */
  target = '';
  /** The authority for the node. */
  authority = '';
  host = '';
  isHttp10 = false;
  cookie = '';
  /** The fields that are forwarded unchanged, each with its line end. */
  forwarded = '';
  /** Octets of the body; -1 chunked. */
  bodyLength = 0;
  /** The client connection stays open after this exchange. */
  keepsAlive = true;
  expectsContinue = false;
  /** Its credentials authenticate the connection to the node. */
  bindsConnection = false;
  /** The client requests a WebSocket. */
  wantsUpgrade = false;
  /** Values of `X-Forwarded-For` and `X-Forwarded-Proto`, several lines as one list. */
  forwardedFor = '';
  forwardedProto = '';
  /** Values of `Forwarded`, one after the other with LF between: an open quotation ends with its line. */
  forwardedElements = '';
  /** Other `X-Forwarded-*` lines and `X-Real-IP` of the client. */
  forwardedOther = '';
  requestId = '';
  via = '';
  maxForwards = -1;
  /** The client uses TLS, to this proxy or to a trusted proxy in front. Set by the connection, not by `read`. */
  isSecure = false;
  /** The peer is a trusted proxy. Set by the connection. */
  isFromTrusted = false;
  #fieldsStart = 0;
  /** The last valid authority, and its host: a client rarely uses two. */
  #goodAuthority = '';
  #goodHost = '';
  readonly #repeated = new RepeatedFields();
  /** Results of repeated fields that other code changes: all else stays valid. */
  #keptMethod = '';
  #keptIsHttp10 = false;
  #keptAuthority = '';
  #keptKeepsAlive = true;

  /** Reads the head `octets[start, end)`; its final CR LF CR LF are behind `end`. The octets may change after it has returned. */
  read(octets: Buffer, start: number, end: number, limits: HeadLimits): HeadRefusal | undefined {
    const repeatedStart = end + 2 - this.#repeated.length;
    // Only from the start of a line: the end of a request line may equal earlier fields.
    const isRepetition =
      repeatedStart > start &&
      isLineEnd(octets, repeatedStart - 2) &&
      this.#repeated.isSame(octets, repeatedStart, end + 2);
    const text = latin1(octets, start, isRepetition ? repeatedStart : end + 2);
    const refusal = this.#readLine(octets, start, text, limits);
    if (refusal !== undefined) return this.#refused(refusal);
    if (isRepetition && this.#fieldsStart === repeatedStart && this.#mayRepeat()) {
      this.authority = this.#keptAuthority;
      this.keepsAlive = this.#keptKeepsAlive;
      this.#isGood(this.authority);
      return this.#finish();
    }
    const whole = isRepetition ? latin1(octets, start, end + 2) : text;
    const fault = this.#readFields(octets, start, end, whole, limits);
    if (fault !== undefined) return this.#refused(fault);
    this.#keptMethod = this.method;
    this.#keptIsHttp10 = this.isHttp10;
    this.#keptAuthority = this.authority;
    this.#keptKeepsAlive = this.keepsAlive;
    this.#repeated.keep(octets, this.#fieldsStart, end + 2);
    return this.#finish();
  }

  /** Fetch standard, CORS-preflight request: browsers send it without cookies and keep none of its answer. */
  get isPreflight(): boolean {
    return (
      this.method === 'OPTIONS' &&
      fieldValue(this.forwarded, 'origin') !== '' &&
      fieldValue(this.forwarded, 'access-control-request-method') !== ''
    );
  }

  /** Some fields have an effect with some methods only, and `Connection` has another one in HTTP/1.0. */
  #mayRepeat(): boolean {
    return this.method === this.#keptMethod && this.isHttp10 === this.#keptIsHttp10;
  }

  #refused(refusal: HeadRefusal): HeadRefusal {
    this.#repeated.forget();
    return refusal;
  }

  /** Refuses an invalid first line of `octets`, `[0, end)` with its CR LF behind it, before the fields have arrived. */
  refusesLine(octets: Buffer, end: number, limits: HeadLimits): HeadRefusal | undefined {
    return this.#readLine(octets, 0, latin1(octets, 0, end), limits);
  }

  /** RFC 9112 §3: method SP target SP version, single spaces. */
  #readLine(octets: Buffer, start: number, text: string, limits: HeadLimits): HeadRefusal | undefined {
    const methodEnd = tokenEnd(octets, start);
    if (methodEnd === start || octets[methodEnd] !== SPACE || methodEnd - start > 64)
      return refuse(400, 'the method is not a token');
    const end = targetEnd(octets, methodEnd + 1);
    // From here " HTTP/1.1" and the line end.
    if (end - start + 9 > limits.maxLineBytes) return refuse(414, `request line of over ${end - start} octets`);
    if (end === methodEnd + 1 || !isVersion(octets, end))
      return refuse(400, 'the request line is not a target of visible ASCII and a version');
    const major = octets[end + 6]! - 0x30;
    const minor = octets[end + 8]! - 0x30;
    if (major !== 1 || minor > 1) return refuse(505, `version ${major}.${minor}`);
    this.isHttp10 = minor === 0;
    this.method = methodOf(octets, start, methodEnd, text);
    this.target = text.slice(methodEnd + 1 - start, end - start);
    if (this.method === 'CONNECT' || this.method === 'TRACE' || this.method === 'TRACK')
      return refuse(405, `${this.method} is not served`);
    if (this.method !== 'GET' && !METHODS.has(this.method)) return refuse(501, 'the method is not known');
    this.authority = '';
    this.#fieldsStart = end + 11;
    return undefined;
  }

  #reset(): void {
    this.host = '';
    this.cookie = '';
    this.forwarded = '';
    this.bodyLength = 0;
    this.keepsAlive = !this.isHttp10;
    this.expectsContinue = false;
    this.bindsConnection = false;
    this.wantsUpgrade = false;
    this.forwardedFor = '';
    this.forwardedProto = '';
    this.forwardedElements = '';
    this.forwardedOther = '';
    this.requestId = '';
    this.via = '';
    this.maxForwards = -1;
  }

  #readFields(
    octets: Buffer,
    headStart: number,
    end: number,
    text: string,
    limits: HeadLimits,
  ): HeadRefusal | undefined {
    this.#reset();
    const start = this.#fieldsStart;
    if (end - start > limits.maxFieldBytes) return refuse(431, `fields of ${end - start} octets`);
    let hosts = 0;
    let lengths = 0;
    let codings = 0;
    let connection = 0;
    let nominated: string[] | undefined;
    let upgrade = '';
    let runStart = start;
    let fields = 0;
    for (let at = start; at < end; ) {
      if (++fields > limits.maxFields) return refuse(431, `more than ${limits.maxFields} fields`);
      const nameEnd = tokenEnd(octets, at);
      // RFC 9112 §5.1 no space before the colon, §5.2 no folding, §2.2 no white space before the first field.
      if (nameEnd === at || octets[nameEnd] !== COLON) return refuse(400, 'a field line without a valid name');
      const lineEnd = valueEnd(octets, nameEnd + 1);
      if (!isLineEnd(octets, lineEnd)) return refuse(400, 'a control character, bare CR or bare LF in a field value');
      const kind = requestField(octets, at, nameEnd);
      const next = lineEnd + 2;
      // RFC 9110 §7.6.2: Max-Forwards has an effect with OPTIONS (and TRACE) only.
      if (
        kind === FIELD.OTHER ||
        (kind === FIELD.FORWARDED_CLAIM && this.isFromTrusted) ||
        (kind === FIELD.MAX_FORWARDS && this.method !== 'OPTIONS')
      ) {
        at = next;
        continue;
      }
      if (kind === FIELD.AUTHENTICATION) {
        const from = trimmedStart(octets, nameEnd + 1, lineEnd);
        if (bindsConnection(text.slice(from - headStart, lineEnd - headStart))) this.bindsConnection = true;
        at = next;
        continue;
      }
      if (runStart < at) this.forwarded += text.slice(runStart - headStart, at - headStart);
      runStart = next;
      const from = trimmedStart(octets, nameEnd + 1, lineEnd);
      const to = trimmedEnd(octets, from, lineEnd);
      const value = isReadInPlace(kind) ? '' : text.slice(from - headStart, to - headStart);
      switch (kind) {
        case FIELD.HOST:
          if (++hosts > 1) return refuse(400, 'more than one Host');
          if (!this.#isGood(value)) return refuse(400, 'Host is not a host and port');
          this.authority = value;
          break;
        case FIELD.CONTENT_LENGTH:
          if (++lengths > 1) return refuse(400, 'more than one Content-Length');
          this.bodyLength = contentLength(octets, from, to);
          if (this.bodyLength < 0) return refuse(400, 'Content-Length is not a number of octets');
          break;
        case FIELD.TRANSFER_ENCODING:
          if (++codings > 1) return refuse(400, 'more than one Transfer-Encoding');
          if (!isChunkedOnly(value))
            return refuse(isUnknownCoding(value) ? 501 : 400, 'Transfer-Encoding is not chunked');
          break;
        case FIELD.CONNECTION:
          if (isKeepAlive(octets, from, to)) connection |= CONNECTION.KEEP_ALIVE;
          else {
            nominated ??= [];
            connection |= connectionOptions(text.slice(from - headStart, to - headStart), nominated);
          }
          break;
        case FIELD.COOKIE:
          this.#addCookie(withoutLogin(value));
          break;
        case FIELD.EXPECT:
          // RFC 9110 §10.1.1: ignored in HTTP/1.0, an unknown expectation is refused.
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
        case FIELD.FORWARDED_PROTO:
          this.forwardedProto = this.forwardedProto === '' ? value : `${this.forwardedProto}, ${value}`;
          break;
        case FIELD.FORWARDED:
          this.forwardedElements = this.forwardedElements === '' ? value : `${this.forwardedElements}\n${value}`;
          break;
        case FIELD.FORWARDED_OTHER:
          this.forwardedOther += text.slice(at - headStart, next - headStart);
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
    if (runStart < end) this.forwarded += text.slice(runStart - headStart, end + 2 - headStart);
    if (codings > 0 && lengths > 0) return refuse(400, 'Transfer-Encoding and Content-Length together');
    if (codings > 0 && this.isHttp10) return refuse(400, 'Transfer-Encoding in HTTP/1.0');
    if (codings > 0) this.bodyLength = -1;
    if (hosts === 0 && !this.isHttp10) return refuse(400, 'no Host');
    if ((connection & CONNECTION.NAMES_FIELDS) !== 0) this.#dropNominated(nominated ?? []);
    this.#readConnection(connection, upgrade);
    // Without a body there is nothing to wait for.
    if (this.bodyLength === 0) this.expectsContinue = false;
    return undefined;
  }

  #addCookie(value: string): void {
    if (this.cookie === '') this.cookie = value;
    else if (value !== '') this.cookie += `; ${value}`;
  }

  #readConnection(connection: number, upgrade: string): void {
    if ((connection & CONNECTION.CLOSE) !== 0) this.keepsAlive = false;
    else if (this.isHttp10) this.keepsAlive = (connection & CONNECTION.KEEP_ALIVE) !== 0;
    // RFC 9110 §7.8: only with the connection option, never in 1.0. Protocols other than WebSocket are not forwarded.
    this.wantsUpgrade =
      (connection & CONNECTION.UPGRADE) !== 0 &&
      !this.isHttp10 &&
      this.method === 'GET' &&
      this.bodyLength === 0 &&
      upgrade.toLowerCase() === 'websocket';
  }

  /** RFC 9110 §7.6.1: fields named by `Connection` are dropped, except fields that a message needs. */
  #dropNominated(names: readonly string[]): void {
    const drop = new Set(names.filter(isRemovable));
    this.forwarded = withoutFields(this.forwarded, drop);
    this.forwardedOther = withoutFields(this.forwardedOther, drop);
    if (drop.has('x-forwarded-for')) this.forwardedFor = '';
    if (drop.has('x-forwarded-proto')) this.forwardedProto = '';
    if (drop.has('forwarded')) this.forwardedElements = '';
    if (drop.has('x-request-id')) this.requestId = '';
  }

  /** RFC 9112 §3.2: origin, absolute and asterisk form. */
  #finish(): HeadRefusal | undefined {
    const { target } = this;
    if (target === '*') {
      if (this.method !== 'OPTIONS') return refuse(400, 'the target * is for OPTIONS');
    } else if (target.charCodeAt(0) !== SLASH) {
      const absolute = ABSOLUTE_FORM.exec(target);
      if (!absolute) return refuse(400, 'the target is not a path');
      const authority = absolute[2]!;
      if (!this.#isGood(authority)) return refuse(400, 'the authority of the target is not a host and port');
      // RFC 9112 §3.2.2: the target's authority replaces Host.
      this.authority = authority;
      const path = absolute[3]!;
      if (this.method === 'OPTIONS' && path === '') this.target = '*';
      else this.target = path.startsWith('/') ? path : `/${path}`;
    }
    this.host = this.authority === '' ? '' : this.#goodHost;
    return undefined;
  }

  #isGood(authority: string): boolean {
    if (authority === this.#goodAuthority) return authority !== '';
    if (!isAuthority(authority)) return false;
    this.#goodAuthority = authority;
    this.#goodHost = hostOf(authority);
    return true;
  }
}

/** True if `octets` from `at` are SP, a version of two digits, and the end of the line (RFC 9112 §2.3). */
function isVersion(octets: Uint8Array, at: number): boolean {
  return (
    octets[at] === SPACE &&
    octets[at + 1] === 0x48 &&
    octets[at + 2] === 0x54 &&
    octets[at + 3] === 0x54 &&
    octets[at + 4] === 0x50 &&
    octets[at + 5] === 0x2f &&
    isDigit(octets[at + 6]!) &&
    octets[at + 7] === 0x2e &&
    isDigit(octets[at + 8]!) &&
    isLineEnd(octets, at + 9)
  );
}

function isDigit(octet: number): boolean {
  return octet >= 0x30 && octet <= 0x39;
}

/** The method, the beginning of `text`. The most frequent one is always the same string, which is fast to compare. */
function methodOf(octets: Buffer, start: number, end: number, text: string): string {
  if (end - start === 3 && octets[start] === 0x47 && octets[start + 1] === 0x45 && octets[start + 2] === 0x54)
    return 'GET';
  return text.slice(0, end - start);
}

/** True for methods that may be repeated, RFC 9110 §9.2.2. */
export function isIdempotent(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS' || method === 'PUT' || method === 'DELETE';
}

/** True if `text` is a request id that may be forwarded: short and plain. */
export function isRequestId(text: string): boolean {
  return text.length <= 128 && isToken(text, 0, text.length);
}
