/**
 * The elements of `Forwarded` (RFC 7239 §4) and of `X-Forwarded-For`, and the addresses and schemes in them, in all forms that fronts send.
 * Nothing here decides who is trusted.
 */
import { isIP, isIPv4, isIPv6, SocketAddress } from 'node:net';
import { isToken } from './octets.ts';

/** Elements that are read of all lines of a field, the last ones. Further proxies in a chain are not looked at. */
export const MAX_ELEMENTS = 32;
/** Longest element, characters. A longer one is unreadable. */
const MAX_ELEMENT_CHARACTERS = 1_024;
/** Longest address with brackets, zone, port and quotes, characters. */
const MAX_ADDRESS_CHARACTERS = 128;

export type Scheme = 'http' | 'https';

/** One step of a request on its way, as the proxy that received it reports it. */
export interface Hop {
  /** The sender; `''` if it is hidden (`unknown`, `_id`), absent or unreadable. */
  readonly address: string;
  /** The scheme of the sender; `''` if it is absent or unreadable. */
  readonly scheme: Scheme | '';
  /** The authority that the sender requested; `''` if absent. */
  readonly host: string;
}

const UNREADABLE: Hop = { address: '', scheme: '', host: '' };

/** An address of the system, with IPv4 taken out of its IPv6 mapping. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined) return '';
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

/** The one way to write the IP address `address`: IPv6 as in RFC 5952 and without zone, IPv4 never mapped into IPv6. */
export function canonicalAddress(address: string): string {
  if (!address.includes(':')) return address;
  const zone = address.indexOf('%');
  const bare = zone < 0 ? address : address.slice(0, zone);
  return plainAddress(new SocketAddress({ address: bare, family: 'ipv6' }).address);
}

/** `[IPv6]` or IPv4, with the port that it has in some fields: a number, or an obfuscated one (RFC 7239 §6.3). */
const WITH_PORT = /^(?:\[([0-9A-Fa-f:.]+(?:%[\w.~-]+)?)\]|([0-9.]+))(?::(?:([0-9]{1,5})|_[\w.-]+))?$/;

/**
 * The address in a node identifier (RFC 7239 §6) or an element of `X-Forwarded-For`: IPv4 or IPv6, with or without port, brackets and
 * quotes. `''` for `unknown`, `_hidden`, and text that is no address.
 */
export function addressOf(identifier: string): string {
  if (identifier.length > MAX_ADDRESS_CHARACTERS) return '';
  const text = unquoted(identifier);
  if (isIP(text) !== 0) return canonicalAddress(text);
  const [found, bracketed, plain = '', port = '0'] = WITH_PORT.exec(text) ?? [];
  if (found === undefined || Number(port) > 65_535) return '';
  if (bracketed === undefined) return isIPv4(plain) ? plain : '';
  return isIPv6(bracketed) ? canonicalAddress(bracketed) : '';
}

/** The scheme of HTTP that `text` names in any case; a WebSocket's stands for it. `''` for other text. */
export function schemeOf(text: string): Scheme | '' {
  const scheme = unquoted(text).toLowerCase();
  if (scheme === 'https' || scheme === 'wss') return 'https';
  return scheme === 'http' || scheme === 'ws' ? 'http' : '';
}

/** The elements of a list without quoted commas, the last one first, at most `MAX_ELEMENTS`. Empty elements count for nothing. */
export function listFromEnd(list: string): readonly string[] {
  const elements: string[] = [];
  for (let end = list.length; end >= 0 && elements.length < MAX_ELEMENTS; ) {
    const comma = end === 0 ? -1 : list.lastIndexOf(',', end - 1);
    const element = list.slice(comma + 1, end).trim();
    if (element !== '') elements.push(element);
    end = comma;
  }
  return elements;
}

/** The hops in lines of `Forwarded` (each ends with LF), the last one first. An unreadable line is one hop, and the last of the result. */
export function forwardedHops(lines: string): readonly Hop[] {
  const hops: Hop[] = [];
  for (const line of linesFromEnd(lines)) {
    const elements = elementsFromEnd(line, MAX_ELEMENTS - hops.length);
    for (const element of elements ?? []) hops.push(hopOf(element));
    if (elements === undefined) hops.push(UNREADABLE);
    if (elements === undefined || hops.length >= MAX_ELEMENTS) break;
  }
  return hops;
}

/** The lines of `Forwarded` as one value, without those up to the last one that has an open quotation; it would swallow what is appended. */
export function readableLines(lines: string): string {
  const readable: string[] = [];
  for (const line of linesFromEnd(lines)) {
    if (elementsFromEnd(line, 0) === undefined) break;
    if (line !== '') readable.unshift(line);
  }
  return readable.join(', ');
}

function linesFromEnd(lines: string): readonly string[] {
  return lines.split('\n').reverse();
}

/** The last elements of one line, the last one first; `undefined` if a quoted string is not closed. */
function elementsFromEnd(line: string, most: number): readonly string[] | undefined {
  const ends: number[] = [];
  let isQuoted = false;
  for (let at = 0; at < line.length; at++) {
    const character = line[at];
    if (isQuoted && character === '\\') at++;
    else if (character === '"') isQuoted = !isQuoted;
    else if (character === ',' && !isQuoted) ends.push(at);
  }
  if (isQuoted) return undefined;
  const elements: string[] = [];
  for (let end = line.length; elements.length < most; ) {
    const comma = ends.pop() ?? -1;
    const element = line.slice(comma + 1, end).trim();
    if (element !== '') elements.push(element);
    if (comma < 0) break;
    end = comma;
  }
  return elements;
}

/** A parameter: name, value, and the end. Values that have to be quoted (RFC 7239 §4) are accepted without quotes. */
const PARAMETER = /[ \t]*([\w!#$%&'*+.^`|~-]+)=("(?:[^"\\]|\\.)*"|[^\s",;]+)[ \t]*(?:;|$)/y;

/** One element of `Forwarded`. A parameter that is unreadable or repeated makes all of it unreadable. */
function hopOf(element: string): Hop {
  if (element.length > MAX_ELEMENT_CHARACTERS) return UNREADABLE;
  const values = new Map<string, string>();
  for (let at = 0; at < element.length; ) {
    if (element[at] === ';') {
      at++;
      continue;
    }
    PARAMETER.lastIndex = at;
    const [text, name, value] = PARAMETER.exec(element) ?? [];
    if (text === undefined || name === undefined || value === undefined) return UNREADABLE;
    const key = name.toLowerCase();
    if (values.has(key)) return UNREADABLE;
    values.set(key, unquoted(value));
    at += text.length;
  }
  return {
    address: addressOf(values.get('for') ?? ''),
    scheme: schemeOf(values.get('proto') ?? ''),
    host: values.get('host') ?? '',
  };
}

/** The text of a quoted string, RFC 9110 §5.6.4; other text unchanged. */
function unquoted(text: string): string {
  if (text.length < 2 || text[0] !== '"' || !text.endsWith('"')) return text;
  return text.slice(1, -1).replace(/\\(.)/g, '$1');
}

/** An element of `Forwarded`. Absent parts are left out; `host` is a valid authority. */
export function forwardedElement({ address, scheme, host }: Hop): string {
  const node = address.includes(':') ? `"[${address}]"` : address;
  const name = host === '' || isToken(host, 0, host.length) ? host : `"${host}"`;
  const parts = [`for=${node}`, host === '' ? '' : `host=${name}`, scheme === '' ? '' : `proto=${scheme}`];
  return parts.filter((part) => part !== '').join(';');
}
