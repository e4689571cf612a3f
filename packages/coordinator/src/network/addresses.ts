/** IP addresses and CIDR ranges. One library parses them, so that no spelling has two meanings. */
import { networkInterfaces } from 'node:os';
import { isOwnIp } from '@rollcall/core';
import ipaddr from 'ipaddr.js';

/** A parsed address. IPv4 in IPv6 form (`::ffff:10.0.0.1`) is IPv4 here. */
export type IpAddress = ipaddr.IPv4 | ipaddr.IPv6;

/** Cache of parsed addresses: the same peers connect often, and a request parses its address several times. */
const parsed = new Map<string, IpAddress>();
const MAX_PARSED = 1_000;
const MAX_PARSED_LENGTH = 64;

/** Parses an address as sockets report it: dotted decimal, or IPv6, whose zone is dropped. `undefined` for anything else. */
export function parseIp(text: string): IpAddress | undefined {
  const known = parsed.get(text);
  if (known !== undefined || text.length > MAX_PARSED_LENGTH) return known ?? parseText(text);
  const address = parseText(text);
  if (address === undefined) return undefined;
  if (parsed.size >= MAX_PARSED) parsed.clear();
  parsed.set(text, address);
  return address;
}

function parseText(text: string): IpAddress | undefined {
  const unbracketed = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text;
  const bare = unbracketed.replace(/%[A-Za-z0-9._-]+$/, '');
  if (ipaddr.IPv4.isValidFourPartDecimal(bare)) return ipaddr.IPv4.parse(bare);
  if (!bare.includes(':') || !ipaddr.IPv6.isValid(bare)) return undefined;
  const address = ipaddr.IPv6.parse(bare);
  return address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
}

/** True for 127.0.0.0/8 and ::1. */
export function isLoopback(address: IpAddress | undefined): boolean {
  return address?.range() === 'loopback';
}

/** True for addresses of this machine: loopback, the unspecified address, and those of its interfaces. */
export function isOfThisMachine(address: IpAddress): boolean {
  return isOwnIp(address.toString(), networkInterfaces());
}

/** Addresses of this machine as ranges: loopback and its interfaces. */
export function ownRanges(): string[] {
  const entries = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const addresses = entries.map(({ address }) => address.replace(/%.*$/, ''));
  return ['127.0.0.0/8', '::1', ...addresses.filter((address) => !isLoopback(parseIp(address)))];
}

/** True for hosts that only this machine can reach: loopback addresses and `localhost`. */
export function isLoopbackHost(host: string): boolean {
  const name = host.toLowerCase();
  return name === 'localhost' || name.endsWith('.localhost') || isLoopback(parseIp(name));
}

/**
 * The key by which limits per peer are kept. An IPv6 client can choose addresses within a /64, and a local process within
 * 127.0.0.0/8. Any other IPv4 client has one address.
 */
export function limitKey(address: IpAddress | undefined): string {
  if (address === undefined) return 'unknown';
  if (isLoopback(address)) return 'loopback';
  if (address.kind() === 'ipv4') return address.toString();
  return `${address.toByteArray().slice(0, 8).join('.')}/64`;
}

/** Ranges such as `10.0.0.0/8` or `fd00::/8`; a single address counts as a range of one. */
export class CidrList {
  readonly #ranges: readonly [IpAddress, number][];

  /** Throws for an invalid range, because a range dropped silently would change the policy. */
  constructor(ranges: readonly string[]) {
    this.#ranges = ranges.map(parseRange);
  }

  has(address: IpAddress | undefined): boolean {
    if (address === undefined) return false;
    return this.#ranges.some(([network, bits]) => network.kind() === address.kind() && address.match([network, bits]));
  }
}

function parseRange(text: string): [IpAddress, number] {
  const [host = '', bits] = text.split('/');
  const address = parseIp(host);
  const width = address?.kind() === 'ipv4' ? 32 : 128;
  const length = bits === undefined ? width : /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
  if (address === undefined || !(length <= width)) throw new TypeError(`${text} is not a range like 10.0.0.0/8`);
  return [address, length];
}
