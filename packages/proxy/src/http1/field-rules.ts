/** Rules about single field values. Each is one function with its section. */
import { isIPv6 } from 'node:net';
import { canonicalHost } from '@rollcall/protocol';
import { asciiOctets, equalsIgnoringCase, isBlank, isToken } from './octets.ts';

const PLAIN_HOST = /^[A-Za-z0-9._-]{1,255}(?::[0-9]{0,4})?$/;
const AUTHORITY = /^(?:([A-Za-z0-9\-._~!$&'()*+;=]{1,255})|\[([0-9A-Fa-f:.]{2,45})\])(?::([0-9]{0,5}))?$/;

/**
 * RFC 9112 §3.2, RFC 9110 §7.2, RFC 3986 §3.2.2: a name, an IPv4 address or a bracketed IPv6 address, with an optional port. An empty
 * host, percent-encoding and a comma are allowed by the RFC and refused here: clients do not send them, and receivers differ.
 */
export function isAuthority(value: string): boolean {
  if (PLAIN_HOST.test(value)) return true;
  const match = AUTHORITY.exec(value);
  if (match === null) return false;
  const [, , address, port = ''] = match;
  return (address === undefined || isIPv6(address)) && Number(port) <= 65_535;
}

/** The host of an authority in the spelling of `canonicalHost`, without port. */
export function hostOf(authority: string): string {
  const colon = authority.lastIndexOf(':');
  const host = colon > 0 && !authority.endsWith(']') ? authority.slice(0, colon) : authority;
  return canonicalHost(host);
}

/**
 * RFC 9110 §8.6: the value of `Content-Length`, `octets[start, end)`; -1 if it is not 1 to 15 digits. The RFC allows to collapse a list of
 * equal values. It is refused here, because only a broken or hostile sender creates one.
 */
export function contentLength(octets: Uint8Array, start: number, end: number): number {
  if (end === start || end - start > 15) return -1;
  let length = 0;
  for (let at = start; at < end; at++) {
    const digit = octets[at]! - 0x30;
    if (digit < 0 || digit > 9) return -1;
    length = length * 10 + digit;
  }
  return length;
}

/** RFC 9112 §7: true if `value` is the only accepted transfer coding: `chunked`, once and without parameters. */
export function isChunkedOnly(value: string): boolean {
  return value.length === 7 && value.toLowerCase() === 'chunked';
}

/** True if `value` has only codings, the last one chunked: well-formed, but not supported (501, RFC 9112 §6.1). */
export function isUnknownCoding(value: string): boolean {
  const codings = value
    .toLowerCase()
    .split(',')
    .map((coding) => coding.trim());
  return (
    codings.at(-1) === 'chunked' &&
    codings.indexOf('chunked') === codings.length - 1 &&
    codings.every((coding) => isToken(coding, 0, coding.length))
  );
}

/** RFC 9110 §7.6.1: the options of `Connection`, as bits. */
export const CONNECTION = { CLOSE: 1, KEEP_ALIVE: 2, UPGRADE: 4, NAMES_FIELDS: 8 } as const;

const KEEP_ALIVE = asciiOctets('keep-alive');

/** True for the most frequent `Connection` value, in `octets[start, end)`. */
export function isKeepAlive(octets: Uint8Array, start: number, end: number): boolean {
  return end - start === KEEP_ALIVE.length && equalsIgnoringCase(octets, start, KEEP_ALIVE);
}

/** The options in one `Connection` value; `names` gets the lower-case names of fields it nominates. */
export function connectionOptions(value: string, names: string[]): number {
  let bits = 0;
  for (const part of value.split(',')) {
    const option = part.trim().toLowerCase();
    if (option === '') continue;
    if (option === 'close') bits |= CONNECTION.CLOSE;
    else if (option === 'keep-alive') bits |= CONNECTION.KEEP_ALIVE;
    else if (option === 'upgrade') bits |= CONNECTION.UPGRADE;
    else {
      // All of them: a field with a forgotten name would be forwarded. The size of the head limits their number.
      bits |= CONNECTION.NAMES_FIELDS;
      names.push(option);
    }
  }
  return bits;
}

/** Fields that `Connection` may not remove: without them a message has another meaning. */
const PROTECTED: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'cookie',
  'set-cookie',
  'authorization',
  'cache-control',
  'content-type',
  'content-encoding',
]);

export function isRemovable(name: string): boolean {
  return !PROTECTED.has(name);
}

const QUOTED = /"(?:[^"\\]|\\.)*"?/g;
const BINDING_SCHEME = /(?:^|,)[ \t]*(?:ntlm|negotiate)(?![^ \t,])/i;

/**
 * True if credentials, or a challenge in a list, use a scheme that authenticates the connection: NTLM and Negotiate (RFC 4559 §6). Other
 * schemes authenticate the request.
 */
export function bindsConnection(value: string): boolean {
  return BINDING_SCHEME.test(value.replace(QUOTED, '""'));
}

/** The lines of `fields`, each with its line end, whose lower-case names are not in `names`. */
export function withoutFields(fields: string, names: ReadonlySet<string>): string {
  let kept = '';
  for (const line of fields.split('\r\n'))
    if (line !== '' && !names.has(line.slice(0, line.indexOf(':')).toLowerCase())) kept += `${line}\r\n`;
  return kept;
}

/** Value of the first field with this lower-case name in forwarded lines; `''` without one. */
export function fieldValue(fields: string, name: string): string {
  for (let start = 0; start < fields.length; ) {
    const end = fields.indexOf('\r\n', start);
    const colon = start + name.length;
    if (fields.charCodeAt(colon) === 0x3a && fields.slice(start, colon).toLowerCase() === name)
      return fields.slice(colon + 1, end).trim();
    start = end + 2;
  }
  return '';
}

/** `timeout` of a `Keep-Alive` field in milliseconds; `undefined` without one. */
export function keepAliveTimeoutMs(value: string): number | undefined {
  const match = /(?:^|[,;\s])timeout\s*=\s*"?([0-9]{1,6})/i.exec(value);
  return match ? Number(match[1]) * 1_000 : undefined;
}

/** Where the field value in `octets[start, end)` begins: white space around it is not part of it (RFC 9110 §5.5). */
export function trimmedStart(octets: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && isBlank(octets[at]!)) at++;
  return at;
}

/** Where it ends. */
export function trimmedEnd(octets: Uint8Array, start: number, end: number): number {
  let at = end;
  while (at > start && isBlank(octets[at - 1]!)) at--;
  return at;
}
