/**
 * Who the client is. What a stranger says of itself in `X-Forwarded-*`, `Forwarded` and `X-Real-IP` is dropped; what a
 * trusted proxy in front of us says is kept, and what we saw of that proxy appended.
 */
import { BlockList, isIP, isIPv6 } from 'node:net';
import type { RequestHead } from '../http1/request-head.ts';

/** Tells whether an address is that of a trusted proxy. */
export type TrustedMatcher = (address: string) => boolean;

/** A matcher for addresses and CIDR ranges. Throws when one of them is neither. */
export function trustedMatcher(ranges: readonly string[]): TrustedMatcher {
  if (ranges.length === 0) return () => false;
  const list = new BlockList();
  for (const range of ranges) {
    const slash = range.indexOf('/');
    const address = slash < 0 ? range : range.slice(0, slash);
    const prefix = slash < 0 ? undefined : range.slice(slash + 1);
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    const maxPrefix = family === 'ipv6' ? 128 : 32;
    if (isIP(address) === 0 || (prefix !== undefined && !(/^[0-9]{1,3}$/.test(prefix) && Number(prefix) <= maxPrefix)))
      throw new RangeError(`trusted proxy ${range} is not an address or CIDR range`);
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(prefix), family);
  }
  return (address) => isIP(address) !== 0 && list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}

/** What one client connection knows of its peer. */
export interface ClientPeer {
  /** Its address, IPv4 never mapped into IPv6. */
  readonly address: string;
  readonly scheme: 'http' | 'https';
  readonly isTrusted: boolean;
}

/** An address as the system gives it, with IPv4 taken out of its IPv6 mapping. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined) return '';
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

/** The fields that tell the node who asks, for a peer that is not trusted. */
export function strangerFields(peer: ClientPeer, authority: string): string {
  return `X-Forwarded-For: ${peer.address}\r\nX-Forwarded-Proto: ${peer.scheme}\r\nX-Forwarded-Host: ${authority}\r\n`;
}

/** The same for a trusted peer: its own fields, completed. */
export function trustedFields(peer: ClientPeer, head: RequestHead, authority: string): string {
  const others = head.forwardedOther;
  const chain = head.forwardedFor === '' ? peer.address : `${head.forwardedFor}, ${peer.address}`;
  const proto = /^x-forwarded-proto:/im.test(others) ? '' : `X-Forwarded-Proto: ${peer.scheme}\r\n`;
  const host = /^x-forwarded-host:/im.test(others) ? '' : `X-Forwarded-Host: ${authority}\r\n`;
  return `X-Forwarded-For: ${chain}\r\n${others}${proto}${host}`;
}

/** True when the client speaks TLS: to us, or to the trusted peer according to its last `X-Forwarded-Proto`. */
export function isSecureClient(peer: ClientPeer, head: RequestHead): boolean {
  if (!peer.isTrusted) return peer.scheme === 'https';
  const told = /^x-forwarded-proto:[ \t]*(?:[^\r\n]*,[ \t]*)?([a-z]+)[ \t]*$/im.exec(head.forwardedOther)?.[1];
  return told === undefined ? peer.scheme === 'https' : told.toLowerCase() === 'https';
}

/**
 * The client's own address: that of the peer, or, behind trusted proxies, the last one of `X-Forwarded-For` that is not
 * a trusted proxy's. What comes left of that one was said by a stranger.
 */
export function clientAddress(peer: ClientPeer, forwardedFor: string, isTrusted: TrustedMatcher): string {
  if (!peer.isTrusted || forwardedFor === '') return peer.address;
  let address = peer.address;
  for (const part of forwardedFor.split(',').reverse()) {
    const told = plainAddress(part.trim());
    if (isIP(told) === 0) return address;
    address = told;
    if (!isTrusted(told)) return address;
  }
  return address;
}
