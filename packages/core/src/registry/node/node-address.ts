/** The address of a node as a key: two urls with the same key are the same listener. Host names are not resolved. */
import type { NodeUrl } from '@rollcall/protocol';
import { nodeAddress } from '@rollcall/protocol';

const MAPPED_IPV4 = /^(?:0:){5}ffff:([0-9a-f]+):([0-9a-f]+)$/;

/**
 * Host and port of `url`, without the scheme. Host names are in lower case, otherwise as written. IPv6 literals are in one spelling. An
 * IPv4 address that is mapped into IPv6 is the IPv4 address.
 */
export function addressKey(url: NodeUrl): string {
  const { host, port } = nodeAddress(url);
  return `${host.includes(':') ? canonicalIpv6(host.toLowerCase()) : host.toLowerCase()} ${port}`;
}

/** All eight groups without leading zeros. Other text is returned unchanged. */
function canonicalIpv6(text: string): string {
  const [head = '', tail, ...rest] = withHexGroups(text).split('::');
  const before = groupsOf(head);
  const after = groupsOf(tail ?? '');
  const missing = 8 - before.length - after.length;
  if (rest.length > 0 || missing < (tail === undefined ? 0 : 1) || (tail === undefined && missing > 0)) return text;
  const groups = [...before, ...new Array<string>(missing).fill('0'), ...after];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/.test(group))) return text;
  const canonical = groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':');
  const [, high, low] = MAPPED_IPV4.exec(canonical) ?? [];
  return high === undefined || low === undefined ? canonical : ipv4Of(high, low);
}

function groupsOf(text: string): string[] {
  return text === '' ? [] : text.split(':');
}

/** Replaces an IPv4 address at the end, as in `::ffff:10.0.0.5`, by two groups. */
function withHexGroups(text: string): string {
  const [, head, ...octets] = /^(.*:)(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text) ?? [];
  if (head === undefined) return text;
  const [a, b, c, d] = octets.map(Number) as [number, number, number, number];
  return `${head}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}

function ipv4Of(high: string, low: string): string {
  const [one, other] = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return [one >> 8, one & 255, other >> 8, other & 255].join('.');
}
