/**
 * The addresses that a node may announce. A registration makes the coordinator and every worker connect to its address. Without
 * a rule it would reach every host of their networks (server-side request forgery). The coordinator checks at a registration and
 * at a restore. Workers check at each connect, so that a host name that changes its address reaches no forbidden one.
 */
import type { NodeReach, ReachBounds } from '@rollcall/feed';
import { type IpOctets, type IpRange, ipOctets, ipRange, isInRange, isSameIp } from './ip-address.ts';

/**
 * Why an address may not be connected to. `never`: forbidden for every node; `what` is the kind with its article.
 * `own-listener`: a listener of this coordinator or proxy. `loopback`: the registrant was on another machine.
 * `elsewhere`: not the address that the registrant came from.
 */
export type ReachObjection =
  | { readonly type: 'never'; readonly what: string }
  | { readonly type: 'own-listener' | 'loopback' | 'elsewhere' };

const range = (text: string): IpRange => ipRange(text)!;
const LOOPBACK = [range('127.0.0.0/8'), range('::1')];
const UNSPECIFIED = [range('0.0.0.0/8'), range('::')];
/** At metadata addresses clouds answer with credentials. A translated address contains an IPv4 address, which may be any. */
const NEVER: readonly (readonly [what: string, ranges: readonly IpRange[]])[] = [
  ['a metadata address', ['100.100.100.200', '168.63.129.16', 'fd00:ec2::254', 'fd20:ce::254'].map(range)],
  ['an unspecified address', UNSPECIFIED],
  ['a link-local address', ['169.254.0.0/16', 'fe80::/10'].map(range)],
  ['a multicast address', ['224.0.0.0/4', 'ff00::/8'].map(range)],
  ['a broadcast address', ['255.255.255.255'].map(range)],
  [
    'a translated address',
    ['::/96', '::ffff:0:0:0/96', '64:ff9b::/96', '64:ff9b:1::/48', '2001::/32', '2002::/16'].map(range),
  ],
];

export class ReachRule {
  readonly #allow: readonly IpRange[];
  /** A listener without a range is on each address of this machine. */
  readonly #listeners: readonly { readonly range: IpRange | undefined; readonly port: number }[];
  readonly #isOwn: (address: string) => boolean;

  /**
   * `isOwn`: whether an address is one of this machine, loopback included. A listener is on each of these if its host is
   * unspecified, or neither an address nor a range. Invalid ranges allow nothing.
   */
  constructor({ listeners, allow }: ReachBounds, isOwn: (address: string) => boolean) {
    this.#isOwn = isOwn;
    this.#allow = allow.map(ipRange).filter((one) => one !== undefined);
    this.#listeners = listeners.map(({ host, port }) => {
      const known = ipRange(host);
      return { range: known?.network.every((octet) => octet === 0) ? undefined : known, port };
    });
  }

  /** Why `address` may not be connected to; `undefined` when it may. Text that is no address is refused. */
  objection(address: string, port: number, reach: NodeReach): ReachObjection | undefined {
    const octets = ipOctets(address);
    if (octets === undefined) return { type: 'elsewhere' };
    const isLoopback = isInAny(octets, LOOPBACK);
    const never = isLoopback ? undefined : NEVER.find(([, ranges]) => isInAny(octets, ranges));
    if (never) return { type: 'never', what: never[0] };
    if (this.#isOwnListener(octets, address, port)) return { type: 'own-listener' };
    if (isInAny(octets, this.#allow)) return undefined;
    if (isLoopback) return reach.isLocal ? undefined : { type: 'loopback' };
    const from = reach.from === undefined ? undefined : ipOctets(reach.from);
    if (reach.isAnywhere || (from && isSameIp(from, octets))) return undefined;
    return { type: 'elsewhere' };
  }

  #isOwnListener(octets: IpOctets, address: string, port: number): boolean {
    return this.#listeners.some(
      (listener) =>
        listener.port === port &&
        (listener.range === undefined ? this.#isOwn(address) : isInRange(octets, listener.range)),
    );
  }
}

/** True for addresses of a machine with these network interfaces: loopback, the unspecified address, and the interfaces' addresses. */
export function isOwnIp(
  address: string,
  interfaces: Readonly<Record<string, readonly { readonly address: string }[] | undefined>>,
): boolean {
  const octets = ipOctets(address);
  if (octets === undefined) return false;
  if (isInAny(octets, LOOPBACK) || isInAny(octets, UNSPECIFIED)) return true;
  return Object.values(interfaces).some((entries) =>
    entries?.some((entry) => {
      const own = ipOctets(entry.address);
      return own !== undefined && isSameIp(own, octets);
    }),
  );
}

function isInAny(address: IpOctets, ranges: readonly IpRange[]): boolean {
  return ranges.some((one) => isInRange(address, one));
}
