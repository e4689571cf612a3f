/**
 * Where a node may point. A registration makes the coordinator and every worker connect somewhere, so without a rule it would be
 * a way to reach whatever their networks reach (server-side request forgery). The coordinator asks at a registration and at a
 * restore, workers ask at each connect: a name that changes its address reaches nothing that was not allowed.
 */
import type { NodeReach, ReachBounds } from '@rollcall/protocol';
import { type IpOctets, type IpRange, ipOctets, ipRange, isInRange, isSameIp } from './ip-address.ts';

/**
 * Why an address may not be connected to. `never`: forbidden for every node; `what` names the kind. `own-listener`: a listener of ours.
 * `loopback`: the registrant was on another machine. `elsewhere`: not the address that the registrant came from.
 */
export type ReachObjection =
  | { readonly type: 'never'; readonly what: string }
  | { readonly type: 'own-listener' | 'loopback' | 'elsewhere' };

const range = (text: string): IpRange => ipRange(text)!;
const LOOPBACK = [range('127.0.0.0/8'), range('::1')];
/** Metadata addresses are those where clouds answer with credentials. Translated ones carry an IPv4 address inside, any of them. */
const NEVER: readonly (readonly [what: string, ranges: readonly IpRange[]])[] = [
  ['metadata', ['100.100.100.200', '168.63.129.16', 'fd00:ec2::254', 'fd20:ce::254'].map(range)],
  ['unspecified', ['0.0.0.0/8', '::'].map(range)],
  ['link-local', ['169.254.0.0/16', 'fe80::/10'].map(range)],
  ['multicast', ['224.0.0.0/4', 'ff00::/8'].map(range)],
  ['broadcast', ['255.255.255.255'].map(range)],
  ['translated', ['::/96', '::ffff:0:0:0/96', '64:ff9b::/96', '64:ff9b:1::/48', '2001::/32', '2002::/16'].map(range)],
];

export class ReachRule {
  readonly #allow: readonly IpRange[];
  /** Without a range on each address of this machine. */
  readonly #listeners: readonly { readonly range: IpRange | undefined; readonly port: number }[];
  readonly #isOwn: (address: string) => boolean;

  /**
   * `isOwn`: whether an address is one of this machine, loopback included. A listener whose host is unspecified, or no address or
   * range, is on each of them. Ranges that are not understood allow nothing.
   */
  constructor({ listeners, allow }: ReachBounds, isOwn: (address: string) => boolean) {
    this.#isOwn = isOwn;
    this.#allow = allow.map(ipRange).filter((one) => one !== undefined);
    this.#listeners = listeners.map(({ host, port }) => {
      const known = ipRange(host);
      return { range: known?.network.every((octet) => octet === 0) ? undefined : known, port };
    });
  }

  /** Why `address` may not be connected to; `undefined` when it may. Text that is no address may not. */
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

/** True for 127.0.0.0/8 and ::1, also in IPv6 form. */
export function isLoopbackIp(address: string): boolean {
  const octets = ipOctets(address);
  return octets !== undefined && isInAny(octets, LOOPBACK);
}

function isInAny(address: IpOctets, ranges: readonly IpRange[]): boolean {
  return ranges.some((one) => isInRange(address, one));
}
