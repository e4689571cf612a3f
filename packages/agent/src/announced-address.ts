/** At which address proxy workers reach a server: one at which it listens, and the workers' way leads to. */
import type { NetworkInterfaceInfo } from 'node:os';

/** The address of the node, or why there is none, in one sentence for people. */
export type AnnouncedAddress = { readonly address: string } | { readonly problem: string };

/** What decides. Addresses have no brackets and no zone. */
export interface AddressFacts {
  /** What the server is bound to, `0.0.0.0` and `::` included; `undefined` when no server is attached. */
  readonly bound: string | undefined;
  /** This machine's end of the connection to the coordinator; empty when unknown. */
  readonly local: string;
  /** The coordinator's end; empty when unknown, which counts as this machine. */
  readonly remote: string;
  /** Addresses of this machine, as `os.networkInterfaces` lists them. */
  readonly interfaces: readonly Pick<NetworkInterfaceInfo, 'address' | 'internal'>[];
  /** What a user can set to name the address, for the sentence about a problem. */
  readonly setting: string;
}

/** How a dual-stack socket shows an IPv4 address. */
const MAPPED_IPV4 = /^::ffff:(?=[0-9.]+$)/i;

/** `text` without the zone, and an IPv4 address of a dual-stack socket as IPv4; empty for `undefined`. */
export function plainAddress(text: string | undefined): string {
  return (text ?? '').replace(MAPPED_IPV4, '').replace(/%.*$/, '');
}

/**
 * A server that is bound to one address has that one. One that is bound to all has the local end of the connection to the
 * coordinator if it serves that family, else an address of this machine in the family that it serves.
 *
 * A server on `::` is taken to serve both families: with `ipv6Only` it does not, which Node does not show.
 */
export function announcedAddress(facts: AddressFacts): AnnouncedAddress {
  const { bound, local, remote, interfaces, setting } = facts;
  const address = addressOf(facts);
  const where = `the coordinator at ${remote}`;
  if (address === undefined) {
    const problem = `the program listens on 0.0.0.0 only, and this machine has no IPv4 address for ${where}`;
    return { problem: `${problem}: listen on ::, or set ${setting}` };
  }
  const isHere =
    remote === '' || isLoopback(remote) || remote === local || interfaces.some((own) => own.address === remote);
  if (isHere || !(isLoopback(address) || isLinkLocal(address))) return { address };
  if (bound === undefined || isAll(bound)) {
    return {
      problem: `${where} is reached from the link-local address ${address}, which has no use elsewhere: set ${setting}`,
    };
  }
  const all = address.includes(':') ? '::' : '0.0.0.0';
  const problem = `the program listens on ${address} only, and ${where} is on another machine`;
  return { problem: `${problem}: listen on ${all}, or set ${setting}` };
}

function addressOf({ bound, local, interfaces }: AddressFacts): string | undefined {
  if (bound === undefined) return local === '' ? '127.0.0.1' : local;
  if (!isAll(bound)) return plainAddress(bound);
  const isLocalServed = bound === '::' || !local.includes(':');
  if (local !== '' && isLocalServed) return local;
  if (local === '' || isLoopback(local)) return '127.0.0.1';
  return interfaces.find(({ address, internal }) => !internal && !address.includes(':') && !isLinkLocal(address))
    ?.address;
}

function isAll(bound: string): boolean {
  return bound === '0.0.0.0' || bound === '::';
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}

/** 169.254.0.0/16 and fe80::/10: not valid beyond one link, and of IPv6 not without a zone. */
function isLinkLocal(address: string): boolean {
  return address.startsWith('169.254.') || /^fe[89ab][0-9a-f]:/i.test(address);
}
