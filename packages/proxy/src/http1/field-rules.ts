/** Rules about single field values. Each is one function with the section it stands for. */
import { isIPv6 } from 'node:net';
import { isBlank, isToken } from './octets.ts';

const PLAIN_HOST = /^[A-Za-z0-9._-]{1,255}(?::[0-9]{0,4})?$/;
const AUTHORITY = /^(?:([A-Za-z0-9\-._~!$&'()*+;=]{1,255})|\[([0-9A-Fa-f:.]{2,45})\])(?::([0-9]{0,5}))?$/;

/**
 * RFC 9112 §3.2, RFC 9110 §7.2, RFC 3986 §3.2.2: a name, an IPv4 address or a bracketed IPv6 address, and perhaps a port.
 * Refused although the RFC allows it, because nobody sends it and receivers differ: an empty host, percent-encoding, a comma.
 */
export function isAuthority(value: string): boolean {
  if (PLAIN_HOST.test(value)) return true;
  const match = AUTHORITY.exec(value);
  if (match === null) return false;
  const [, , address, port = ''] = match;
  return (address === undefined || isIPv6(address)) && Number(port) <= 65_535;
}

/** The host of an authority, lower case, without port. */
export function hostOf(authority: string): string {
  const colon = authority.lastIndexOf(':');
  const host = colon > 0 && !authority.endsWith(']') ? authority.slice(0, colon) : authority;
  return host.toLowerCase();
}

/**
 * RFC 9110 §8.6: the value of `Content-Length`; -1 when it is not 1 to 15 digits. A list of equal values may be
 * collapsed by the RFC; we refuse it, because only a broken or hostile sender makes one.
 */
export function contentLength(value: string): number {
  return /^[0-9]{1,15}$/.test(value) ? Number(value) : -1;
}

/** RFC 9112 §7: true when `value` is the one transfer coding we take, `chunked`, once and without parameters. */
export function isChunkedOnly(value: string): boolean {
  return value.length === 7 && value.toLowerCase() === 'chunked';
}

/** True when `value` names codings only, the last of which is chunked: well-formed, but none of ours (501, RFC 9112 §6.1). */
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
      bits |= CONNECTION.NAMES_FIELDS;
      if (names.length < 100) names.push(option);
    }
  }
  return bits;
}

/** Fields that `Connection` may not take away: without them a message means something else. */
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

/** The lines of `fields`, each with its line end, whose lower-case names are not in `names`. */
export function withoutFields(fields: string, names: ReadonlySet<string>): string {
  let kept = '';
  for (const line of fields.split('\r\n'))
    if (line !== '' && !names.has(line.slice(0, line.indexOf(':')).toLowerCase())) kept += `${line}\r\n`;
  return kept;
}

/** `timeout` of a `Keep-Alive` field in milliseconds; `undefined` when it has none. */
export function keepAliveTimeoutMs(value: string): number | undefined {
  const match = /(?:^|[,;\s])timeout\s*=\s*"?([0-9]{1,6})/i.exec(value);
  return match ? Number(match[1]) * 1_000 : undefined;
}

/** `text[start, end)` without white space around it. */
export function trimmed(text: string, start: number, end: number): string {
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

/**
 * `value` with the node's own address replaced by the public one: `Location`, `Content-Location` and the URL of
 * `Refresh`. Values that name any other place are returned as they are.
 */
export function publicLocation(value: string, nodeAuthority: string, publicOrigin: string): string {
  for (const scheme of ['http://', 'https://']) {
    const at = value.toLowerCase().indexOf(scheme + nodeAuthority);
    if (at < 0) continue;
    const end = at + scheme.length + nodeAuthority.length;
    const next = value.charCodeAt(end);
    const isWhole = end === value.length || next === 0x2f || next === 0x3f || next === 0x23;
    const isUrlStart = at === 0 || /^[^;]*;\s*url\s*=\s*["']?$/i.test(value.slice(0, at));
    if (isWhole && isUrlStart) return value.slice(0, at) + publicOrigin + value.slice(end);
  }
  return value;
}
