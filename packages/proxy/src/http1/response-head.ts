/**
 * Reads the head of a node's response, RFC 9112 §4 to §6, and builds the client's head. An invalid head is an error of the node and
 * becomes 502; nothing of it reaches the client.
 */

import { allowsSharedCache } from './cache-control.ts';
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
import { type CookieEdits, publicCookie } from './public-cookie.ts';
import { type PublicPlace, publicLocation, publicRefresh } from './public-location.ts';
import { RepeatedFields } from './repeated-fields.ts';
import type { HeadLimits } from './request-head.ts';

const SPACE = 0x20;
const COLON = 0x3a;
/** Where the reason begins behind `HTTP/1.1 200`. */
const REASON_AT = 12;
const VERSION_START = asciiOctets('HTTP/1.');

/** How the body of a response ends. */
export type ResponseFraming = 'none' | 'length' | 'chunked' | 'close';

/** Parts of the request and its routing that shape the client's head. */
export interface ResponseEdits extends PublicPlace, CookieEdits {
  /** Called with each `Set-Cookie` as the node wrote it. */
  onSetCookie?(value: string): void;
}

/** The head of one response. Filled again for each response of a connection; valid only if `read` returned undefined. */
export class ResponseHead {
  status = 0;
  reason = '';
  isHttp10 = false;
  /** Fields for the client, each with its line end, without framing and connection fields. */
  forwarded = '';
  framing: ResponseFraming = 'none';
  /** Octets of the body, or the length that a HEAD or 304 response announces; -1 without one. */
  bodyLength = -1;
  /** The node keeps its connection open. */
  keepsAlive = true;
  keepAliveMs: number | undefined;
  /** The node authenticates the connection, or requests it. */
  bindsConnection = false;
  upgrade = '';
  load = '';
  /** The last `read` failed because the head exceeds a limit of this proxy: it does not count against the node. */
  exceedsBounds = false;
  /** The proof of an instance, on request of a probe; `''` for none. */
  proof = '';
  hasCacheControl = false;
  /** Its `Cache-Control` lets a shared cache keep the answer. */
  isShared = false;
  /** RFC 9110 §6.6.1: a proxy adds `Date` to a response without it. */
  hasDate = false;
  /** Start of the client's head. The head writer keeps it here while the head repeats. */
  startText = '';
  isStartFlat = false;
  readonly #repeated = new RepeatedFields();
  /** The other inputs of the last parsed fields: with the same inputs they have the same result. */
  #keptStatus = 0;
  #keptMethod = '';
  #keptIsHttp10 = false;
  /** A part of it depends on the request and its routing. */
  #dependsOnRequest = false;

  /**
   * Reads the head `octets[start, end)`; its final CR LF CR LF are behind `end`. Returns a sentence about an error, or undefined. The
   * octets may change after it has returned.
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
    this.hasCacheControl = false;
    this.isShared = false;
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
      if (kind === FIELD.CACHE_CONTROL) {
        this.hasCacheControl = true;
        if (allowsSharedCache(latin1(octets, colon + 1, lineEnd))) this.isShared = true;
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
          // Only the value changes: name, white space and other cookies keep their octets.
          this.forwarded += latin1(octets, at, nameEnd) + latin1(octets, colon, from);
          this.forwarded += publicCookie(value, edits) + latin1(octets, to, next);
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
        case FIELD.CACHE_CONTROL:
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
      // §6.1: neither is allowed in these. The announced length is not reliable, so it is dropped.
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

/** RFC 9112 §4: false if `octets`, all so far, cannot begin an accepted status line. */
export function mayBeginResponse(octets: Uint8Array): boolean {
  const known = Math.min(octets.length, VERSION_START.length);
  for (let at = 0; at < known; at++) if (octets[at] !== VERSION_START[at]) return false;
  return true;
}

const REFRESH_LENGTH = 7;

/** `Location`, `Content-Location` or `Refresh` for the client, distinguished by the length of the name. */
function publicPlace(value: string, nameLength: number, edits: ResponseEdits): string {
  return nameLength === REFRESH_LENGTH ? publicRefresh(value, edits) : publicLocation(value, edits);
}

/** The reason as text; the most frequent one is a constant. */
function reasonOf(octets: Buffer, start: number, end: number): string {
  if (end - start === 2 && octets[start] === 0x4f && octets[start + 1] === 0x4b) return 'OK';
  return end > start ? latin1(octets, start, end) : '';
}
