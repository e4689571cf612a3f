/**
 * Reads the head of a node's response, RFC 9112 §4 to §6, and makes the client's head of it. A broken head is the
 * node's fault and becomes 502; nothing of it reaches the client.
 */

import { FIELD, isReadInPlace, responseField } from './field-names.ts';
import {
  bindsConnection,
  CONNECTION,
  connectionOptions,
  contentLength,
  isChunkedOnly,
  isKeepAlive,
  isRemovable,
  keepAliveTimeoutMs,
  trimmedEnd,
  trimmedStart,
  withoutFields,
} from './field-rules.ts';
import { setsLogin } from './login-cookie.ts';
import { asciiOctets, isBlank, isLineEnd, isVersion1, latin1, tokenEnd, valueEnd } from './octets.ts';
import { publicLocation, publicRefresh } from './public-location.ts';
import { RepeatedFields } from './repeated-fields.ts';
import type { HeadLimits } from './request-head.ts';

const SPACE = 0x20;
const COLON = 0x3a;
/** Where the reason begins behind `HTTP/1.1 200`. */
const REASON_AT = 12;
const VERSION_START = asciiOctets('HTTP/1.');

/** How the body of a response ends. */
export type ResponseFraming = 'none' | 'length' | 'chunked' | 'close';

/** What of the request and its routing shapes the client's head. */
export interface ResponseEdits {
  readonly nodeAuthority: string;
  /** `http://shop.example`, for `Location`; `''` when the client gave no Host. */
  readonly publicOrigin: string;
  readonly rewriteCookies: readonly string[];
  readonly rewriteRoute: string;
  /** Sees each `Set-Cookie` as the node wrote it. */
  onSetCookie?(value: string): void;
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
  /** The node authenticates the connection, or asks for it. */
  bindsConnection = false;
  upgrade = '';
  load = '';
  /** The last `read` failed because the head is larger than we take: the node is not to blame. */
  exceedsBounds = false;
  /** The proof of an instance, which a probe asked for; `''` for none. */
  proof = '';
  /** RFC 9110 §6.6.1: who passes on a response without `Date` adds it. */
  hasDate = false;
  /** What the client's head begins with; kept here by who makes it, as long as the head repeats. */
  startText = '';
  isStartFlat = false;
  readonly #repeated = new RepeatedFields();
  /** What else the fields that were read last were read with: with the same they mean the same. */
  #keptStatus = 0;
  #keptMethod = '';
  #keptIsHttp10 = false;
  /** Something in it is made by what the client asked and how it was routed. */
  #dependsOnRequest = false;

  /**
   * Reads the head `octets[start, end)`, behind which its final CR LF CR LF stand; a sentence saying what is wrong, or
   * undefined. The octets may be changed as soon as it has returned.
   */
  read(
    octets: Buffer,
    start: number,
    end: number,
    method: string,
    edits: ResponseEdits,
    limits: HeadLimits,
  ): string | undefined {
    const lineEnd = valueEnd(octets, start);
    if (!isLineEnd(octets, lineEnd)) return 'a control character, bare CR or bare LF in the status line';
    const fault = this.#readLine(octets, start, lineEnd);
    if (fault !== undefined) return fault;
    const { status, isHttp10 } = this;
    const isRepetition =
      status === this.#keptStatus &&
      method === this.#keptMethod &&
      isHttp10 === this.#keptIsHttp10 &&
      this.#repeated.isSame(octets, lineEnd + 2, end + 2);
    if (isRepetition) return undefined;
    this.#dependsOnRequest = false;
    this.startText = '';
    this.isStartFlat = false;
    const wrong = this.#readFields(octets, lineEnd + 2, end, method, edits, limits);
    if (wrong !== undefined || this.#dependsOnRequest) this.#repeated.forget();
    else this.#repeated.keep(octets, lineEnd + 2, end + 2);
    this.#keptStatus = status;
    this.#keptMethod = method;
    this.#keptIsHttp10 = isHttp10;
    return wrong;
  }

  /** RFC 9112 §4: version SP three digits SP reason; the last space may be missing. */
  #readLine(octets: Buffer, start: number, end: number): string | undefined {
    if (end < start + REASON_AT || !isVersion1(octets, start) || octets[start + 8] !== SPACE)
      return 'not an HTTP/1.x status line';
    const minor = octets[start + 7]! - 0x30;
    if (minor !== 0 && minor !== 1) return 'not an HTTP/1.x status line';
    const hundreds = octets[start + 9]! - 0x30;
    const tens = octets[start + 10]! - 0x30;
    const ones = octets[start + 11]! - 0x30;
    if (hundreds < 1 || hundreds > 5 || tens < 0 || tens > 9 || ones < 0 || ones > 9)
      return 'no status from 100 to 599';
    if (end > start + REASON_AT && octets[start + REASON_AT] !== SPACE) return 'no space after the status';
    this.status = hundreds * 100 + tens * 10 + ones;
    this.reason = reasonOf(octets, start + REASON_AT + 1, end);
    this.isHttp10 = minor === 0;
    return undefined;
  }

  #readFields(
    octets: Buffer,
    start: number,
    end: number,
    method: string,
    edits: ResponseEdits,
    limits: HeadLimits,
  ): string | undefined {
    this.forwarded = '';
    this.bodyLength = -1;
    this.keepAliveMs = undefined;
    this.bindsConnection = false;
    this.upgrade = '';
    this.load = '';
    this.proof = '';
    this.hasDate = false;
    this.exceedsBounds = end - start > limits.maxFieldBytes;
    if (this.exceedsBounds) return `fields of ${end - start} octets`;
    let connection = 0;
    let nominated: string[] | undefined;
    let codings = 0;
    let isChunked = false;
    let fields = 0;
    let runStart = start;
    for (let at = start; at < end; ) {
      if (++fields > limits.maxFields) {
        this.exceedsBounds = true;
        return `more than ${limits.maxFields} fields`;
      }
      const nameEnd = tokenEnd(octets, at);
      let colon = nameEnd;
      // RFC 9112 §5.1: a proxy removes white space before the colon of a response field.
      while (isBlank(octets[colon]!)) colon++;
      if (nameEnd === at || octets[colon] !== COLON) return 'a field line without a valid name';
      const lineEnd = valueEnd(octets, colon + 1);
      if (!isLineEnd(octets, lineEnd)) return 'a control character, bare CR or bare LF in a field value';
      const kind = responseField(octets, at, nameEnd);
      const next = lineEnd + 2;
      if (kind === FIELD.OTHER && colon === nameEnd) {
        at = next;
        continue;
      }
      if (kind === FIELD.DATE) {
        this.hasDate = true;
        if (colon === nameEnd) {
          at = next;
          continue;
        }
      }
      if (runStart < at) this.forwarded += latin1(octets, runStart, at);
      runStart = next;
      const from = trimmedStart(octets, colon + 1, lineEnd);
      const to = trimmedEnd(octets, from, lineEnd);
      const value = isReadInPlace(kind) ? '' : latin1(octets, from, to);
      switch (kind) {
        case FIELD.CONTENT_LENGTH: {
          const length = contentLength(octets, from, to);
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
          if (isKeepAlive(octets, from, to)) connection |= CONNECTION.KEEP_ALIVE;
          else {
            nominated ??= [];
            connection |= connectionOptions(latin1(octets, from, to), nominated);
          }
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
        case FIELD.PROOF:
          this.proof = value;
          break;
        case FIELD.SET_COOKIE:
          if (setsLogin(value)) break;
          this.#dependsOnRequest = true;
          edits.onSetCookie?.(value);
          this.forwarded += `Set-Cookie: ${editCookie(value, edits)}\r\n`;
          break;
        case FIELD.LOCATION:
          this.#dependsOnRequest = true;
          this.forwarded += `${latin1(octets, at, nameEnd)}: ${publicPlace(value, nameEnd - at, edits)}\r\n`;
          break;
        case FIELD.AUTHENTICATION:
        case FIELD.PERSISTENT_AUTH:
          if (kind === FIELD.AUTHENTICATION ? bindsConnection(value) : value.toLowerCase() === 'true')
            this.bindsConnection = true;
          this.forwarded += `${latin1(octets, at, nameEnd)}: ${value}\r\n`;
          break;
        case FIELD.OTHER:
        case FIELD.DATE:
          this.forwarded += `${latin1(octets, at, nameEnd)}: ${value}\r\n`;
          break;
        default:
          break;
      }
      at = next;
    }
    if (runStart < end) this.forwarded += latin1(octets, runStart, end + 2);
    if ((connection & CONNECTION.NAMES_FIELDS) !== 0) this.#dropNominated(nominated ?? []);
    this.keepsAlive =
      (connection & CONNECTION.CLOSE) === 0 && (!this.isHttp10 || (connection & CONNECTION.KEEP_ALIVE) !== 0);
    return this.#decideFraming(method, isChunked);
  }

  #dropNominated(names: readonly string[]): void {
    const drop = new Set(names.filter(isRemovable));
    this.forwarded = withoutFields(this.forwarded, drop);
    if (drop.has('date')) this.hasDate = false;
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

/** RFC 9112 §4: false when `octets`, as many as have come, cannot begin a status line that we take. */
export function mayBeginResponse(octets: Uint8Array): boolean {
  const known = Math.min(octets.length, VERSION_START.length);
  for (let at = 0; at < known; at++) if (octets[at] !== VERSION_START[at]) return false;
  return true;
}

const REFRESH_LENGTH = 7;

/** `Location`, `Content-Location` or `Refresh`, told apart by the length of their names, as the client may see it. */
function publicPlace(value: string, nameLength: number, { nodeAuthority, publicOrigin }: ResponseEdits): string {
  if (publicOrigin === '') return value;
  return nameLength === REFRESH_LENGTH
    ? publicRefresh(value, nodeAuthority, publicOrigin)
    : publicLocation(value, nodeAuthority, publicOrigin);
}

/** The reason as text; the most frequent one without making a text of it. */
function reasonOf(octets: Buffer, start: number, end: number): string {
  if (end - start === 2 && octets[start] === 0x4f && octets[start + 1] === 0x4b) return 'OK';
  return end > start ? latin1(octets, start, end) : '';
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
