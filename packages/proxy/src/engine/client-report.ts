/**
 * What a trusted proxy in front reports of the client. It has one of two sources, `X-Forwarded-*` or `Forwarded`, never parts of both. A
 * proxy that writes one of them may forward the other as the client has sent it.
 */
import { BlockList, isIP, isIPv6 } from 'node:net';
import { addressOf, forwardedHops, type Hop, listFromEnd, type Scheme, schemeOf } from '../http1/forwarded-field.ts';
import type { RequestHead } from '../http1/request-head.ts';

/**
 * Which fields name the client. `x-forwarded`: `X-Forwarded-*` are read first and sent to nodes. `rfc7239`: the same for `Forwarded`.
 * `both`: `X-Forwarded-*` are read first, both are sent. What is read second counts only where the first is absent.
 */
export type ForwardedForm = 'x-forwarded' | 'rfc7239' | 'both';

export const FORWARDED_FORMS: readonly ForwardedForm[] = ['x-forwarded', 'rfc7239', 'both'];

/** True for the address of a trusted proxy. */
export type TrustedMatcher = (address: string) => boolean;

/** A matcher for addresses and CIDR ranges. Throws if an entry is neither. */
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

/** The other end of one client connection: the peer of the socket, or the client that it has named by the PROXY protocol. */
export interface ClientPeer {
  /** Its address, IPv4 never mapped into IPv6. */
  readonly address: string;
  readonly scheme: Scheme;
  readonly isTrusted: boolean;
}

/** The fields of one request that report the client. */
export type ReportFields = Pick<RequestHead, 'forwardedFor' | 'forwardedProto' | 'forwardedElements'>;

/** What counts of the report of a trusted peer. */
export interface ClientReport {
  /** The last sender that is no trusted proxy; where an earlier one is unreadable, the last one that is readable. */
  readonly address: string;
  /** The scheme that the client used. */
  readonly scheme: Scheme;
  /** The authority that the client requested, as `Forwarded` has it; `''` if absent, and with `X-Forwarded-*`. Not checked. */
  readonly host: string;
  /** The senders up to the client, the client first; without the peer. Empty if the peer reports no readable one. */
  readonly hops: readonly Hop[];
}

/** True if `Forwarded` is the source for this request, not `X-Forwarded-*`. */
export function isForwardedSource(fields: ReportFields, form: ForwardedForm): boolean {
  const hasForwarded = fields.forwardedElements !== '';
  const hasX = fields.forwardedFor !== '' || fields.forwardedProto !== '';
  return form === 'rfc7239' ? hasForwarded || !hasX : hasForwarded && !hasX;
}

/** The report of the trusted `peer`. */
export function clientReport(
  peer: ClientPeer,
  fields: ReportFields,
  { isTrusted, forwardedForm }: { readonly isTrusted: TrustedMatcher; readonly forwardedForm: ForwardedForm },
): ClientReport {
  const isForwarded = isForwardedSource(fields, forwardedForm);
  const reported = isForwarded ? forwardedHops(fields.forwardedElements) : xForwardedHops(fields);
  const hops: Hop[] = [];
  let scheme: Scheme | '' = '';
  let host = '';
  for (const hop of reported) {
    // Also of a hop without an address: the proxy that reports it is trusted.
    ({ scheme, host } = hop);
    if (hop.address === '') break;
    hops.unshift(hop);
    if (!isTrusted(hop.address)) break;
  }
  if (reported.length === 0 && !isForwarded) scheme = lastScheme(fields.forwardedProto);
  return { address: hops[0]?.address ?? peer.address, scheme: scheme || peer.scheme, host, hops };
}

/** The scheme of the client of the trusted `peer`, if `clientReport` is not needed for it. */
export function plainScheme(peer: ClientPeer, fields: ReportFields, form: ForwardedForm): Scheme | undefined {
  if (isForwardedSource(fields, form) || fields.forwardedProto.includes(',')) return undefined;
  return schemeOf(fields.forwardedProto) || peer.scheme;
}

/** The hops of `X-Forwarded-For`, the last one first. Schemes belong to the addresses if there are as many; otherwise the last one counts. */
function xForwardedHops({ forwardedFor, forwardedProto }: ReportFields): readonly Hop[] {
  const addresses = listFromEnd(forwardedFor);
  const schemes = listFromEnd(forwardedProto);
  const isPaired = schemes.length === addresses.length;
  return addresses.map((address, at) => ({
    address: addressOf(address),
    scheme: schemeOf(schemes[isPaired ? at : 0] ?? ''),
    host: '',
  }));
}

function lastScheme(forwardedProto: string): Scheme | '' {
  return schemeOf(listFromEnd(forwardedProto)[0] ?? '');
}
