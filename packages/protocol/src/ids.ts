/**
 * Identifiers and addresses that cross process boundaries. Each has a brand, so that the compiler distinguishes a checked
 * value from other strings. Its parser is the only function that returns one.
 *
 * Parsers return `undefined` for any other text. They never throw, and never change an accepted text, except hosts. A host has
 * several spellings (RFC 9110 §4.2.3), and gets the one of `canonicalHost`.
 */

import { canonicalHost } from './canonical-host.ts';

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** Permanent identity of one node: the same program started again has the same id. */
export type NodeId = Branded<'NodeId'>;
/** A named set of nodes that serve the same application. */
export type BalancerName = Branded<'BalancerName'>;
/** The token in a session id that names the node: a name, or any text of a cookie value where other software chose it. */
export type Route = Branded<'Route'>;
/** Nodes that share a failure domain; failover prefers the same group. */
export type GroupName = Branded<'GroupName'>;
/** A path prefix that a node serves: starts with `/`, and does not end with `/` unless it is `/` itself. */
export type ContextPath = Branded<'ContextPath'>;
/** A virtual host: an exact name, `*.suffix`, or `*` for every host. As `canonicalHost` writes it, without a port. */
export type HostPattern = Branded<'HostPattern'>;
/** Address of a node: `http://host:port`, `https://host:port` or `ajp://host:port`, without a path. */
export type NodeUrl = Branded<'NodeUrl'>;

/** Longest id, balancer, route and group name, in characters. */
export const MAX_NAME_LENGTH = 64;
/** Longest context path, in characters. */
export const MAX_PATH_LENGTH = 256;
const MAX_HOST_LENGTH = 253;
const MAX_URL_LENGTH = 512;

const COOKIE_TEXT = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]{1,64}$/;
const NAME = /^[A-Za-z0-9_-]{1,64}$/;
const RESERVED_NAMES: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);
// Printable ASCII without quotes, backslash, query, fragment and path-parameter marks.
const PATH = /^\/(?:[A-Za-z0-9._~!$&'()*+,=:@-]+(?:\/[A-Za-z0-9._~!$&'()*+,=:@-]+)*)?$/;
const HOST_LABELS = /^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;

/** True when `text` may name an id, balancer, route or group: `[A-Za-z0-9_-]{1,64}` and no JavaScript built-in. */
export function isName(text: string): boolean {
  return NAME.test(text) && !RESERVED_NAMES.has(text);
}

export function parseNodeId(text: string): NodeId | undefined {
  return isName(text) ? (text as NodeId) : undefined;
}

export function parseBalancerName(text: string): BalancerName | undefined {
  return isName(text) ? (text as BalancerName) : undefined;
}

export function parseRoute(text: string): Route | undefined {
  return isName(text) ? (text as Route) : undefined;
}

/**
 * Parses a route that other software has chosen: 1 to 64 characters of a cookie value (RFC 6265 section 4.1.1), dots included. Only for nodes that the coordinator registers itself, such as those of MCMP; agents announce names.
 */
export function parseForeignRoute(text: string): Route | undefined {
  return COOKIE_TEXT.test(text) && !RESERVED_NAMES.has(text) ? (text as Route) : undefined;
}

export function parseGroupName(text: string): GroupName | undefined {
  return isName(text) ? (text as GroupName) : undefined;
}

/** Parses a context path. `.` and `..` segments, empty segments, `;`, `?`, `#`, `%` and non-ASCII are refused. */
export function parseContextPath(text: string): ContextPath | undefined {
  if (text.length > MAX_PATH_LENGTH || !PATH.test(text)) return undefined;
  for (const segment of text.split('/')) if (segment === '.' || segment === '..') return undefined;
  return text as ContextPath;
}

/** Parses a host pattern and returns its canonical form. A port is refused: contexts are matched by name only. */
export function parseHostPattern(text: string): HostPattern | undefined {
  // `toLowerCase` maps some non-ASCII letters to ASCII letters, such as the Kelvin sign to `k`.
  if (!/^[!-~]*$/.test(text)) return undefined;
  if (text === '*') return text as HostPattern;
  const host = canonicalHost(text);
  if (host.length > MAX_HOST_LENGTH) return undefined;
  if (host.startsWith('[')) return isBracketedIpv6(host) ? (host as HostPattern) : undefined;
  return HOST_LABELS.test(host.startsWith('*.') ? host.slice(2) : host) ? (host as HostPattern) : undefined;
}

function isBracketedIpv6(text: string): boolean {
  return /^\[[0-9a-f:.]{2,45}\]$/.test(text);
}

/**
 * Parses a node's address: scheme http, https or ajp, a host, an explicit port 1–65535. A path other than `/`,
 * credentials, query and fragment are refused. IPv4 spellings that a WHATWG parser would rewrite (`2130706433`, `0x7f.1`)
 * are refused as well: the written address must be the address of the connect.
 */
export function parseNodeUrl(text: string): NodeUrl | undefined {
  if (text.length > MAX_URL_LENGTH) return undefined;
  const match = /^(https?|ajp):\/\/(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253}):([1-9][0-9]{0,4})\/?$/.exec(text);
  if (!match) return undefined;
  const [, scheme, host, port] = match;
  if (Number(port) > 65535) return undefined;
  if (looksLikeOddIpv4(host!)) return undefined;
  return `${scheme}://${host!.toLowerCase()}:${port}` as NodeUrl;
}

/** True for hosts that a URL parser would read as an IPv4 address although they are not in dotted decimal. */
function looksLikeOddIpv4(host: string): boolean {
  const lastLabel = host.slice(host.lastIndexOf('.') + 1);
  if (!/^(?:[0-9]+|0[xX][0-9A-Fa-f]*)$/.test(lastLabel)) return false;
  return !/^(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.(?!$)|$)){4}$/.test(host);
}

/** Parts of a node address. `host` has no brackets around IPv6. */
export interface NodeAddress {
  readonly isTls: boolean;
  /** The node speaks AJP/1.3 instead of HTTP. */
  readonly isAjp: boolean;
  readonly host: string;
  readonly port: number;
}

/** Splits a checked node address into its parts. */
export function nodeAddress(url: NodeUrl): NodeAddress {
  const isTls = url.startsWith('https:');
  const isAjp = url.startsWith('ajp:');
  const rest = url.slice(url.indexOf('//') + 2);
  const colon = rest.lastIndexOf(':');
  const host = rest.slice(0, colon);
  return {
    isTls,
    isAjp,
    host: host.startsWith('[') ? host.slice(1, -1) : host,
    port: Number(rest.slice(colon + 1)),
  };
}
