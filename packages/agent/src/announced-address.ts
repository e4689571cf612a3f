/** The address at which proxy workers reach a server: one at which it listens and that other machines can reach. */
import type { NetworkInterfaceInfo } from 'node:os';

/** The address of the node, or the problem as one sentence for the log. */
export type AnnouncedAddress = { readonly address: string } | { readonly problem: string };

/** Inputs of the decision. Addresses have no brackets and no zone. */
export interface AddressFacts {
  /** Address to which the server is bound, including `0.0.0.0` and `::`; `undefined` if no server is attached. */
  readonly bound: string | undefined;
  /** Local address of the connection to the coordinator; empty when unknown. */
  readonly local: string;
  /** Remote address of this connection; empty when unknown, which counts as this machine. */
  readonly remote: string;
  /** Addresses of this machine, as `os.networkInterfaces` lists them. */
  readonly interfaces: readonly Pick<NetworkInterfaceInfo, 'address' | 'internal'>[];
  /** Name of the setting that overrides the address, for the sentence about a problem. */
  readonly setting: string;
}

/** Prefix of an IPv4 address on a dual-stack socket. */
const MAPPED_IPV4 = /^::ffff:(?=[0-9.]+$)/i;

/** `text` without the zone, and an IPv4 address of a dual-stack socket as IPv4; empty for `undefined`. */
export function plainAddress(text: string | undefined): string {
  return (text ?? '').replace(MAPPED_IPV4, '').replace(/%.*$/, '');
}

/**
 * Chooses the address. A server that is bound to one address has this address. A server that is bound to all addresses has
 * the local end of the connection to the coordinator, if the server serves its family. Otherwise it has an address of this
 * machine in the family that it serves.
 *
 * A server on `::` is assumed to serve both families: Node.js does not expose `ipv6Only`.
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
      problem: `${where} is reached from the link-local address ${address}, which other machines cannot use: set ${setting}`,
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

/** Whether `address`, an IP address without brackets, is a loopback address. */
export function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}

/** 169.254.0.0/16 and fe80::/10: valid on one link only; IPv6 also needs a zone. */
function isLinkLocal(address: string): boolean {
  return address.startsWith('169.254.') || /^fe[89ab][0-9a-f]:/i.test(address);
}
