/**
 * Which addresses may be nodes. A registration makes the coordinator and every worker connect somewhere, so without a
 * rule it would be a way to reach whatever the coordinator's network reaches (server-side request forgery).
 *
 * The address must be the peer's own, or on this machine when the peer is, or within `--node-allow`; and never a link-local, metadata,
 * multicast or unspecified address, nor one of our own listeners.
 *
 * A loopback address is one of this machine, whichever machine announces it. Connections through a reverse proxy or a tunnel on this
 * machine come from loopback, so agents behind one cannot be told from agents of this machine; their programs have to be reachable here.
 */
import { lookup } from 'node:dns/promises';
import type { Fault, NodeUrl } from '@rollcall/protocol';
import { nodeAddress } from '@rollcall/protocol';
import { CidrList, type IpAddress, isLoopback, isOfThisMachine, isSameAddress, parseIp } from '../network/addresses.ts';

/** All addresses of a name, as text. Rejects when there are none. */
export type Resolve = (name: string) => Promise<readonly string[]>;

/** Where to connect to reach a node: checked, and not resolved again. */
export interface PinnedAddress {
  readonly host: string;
  readonly port: number;
}

export interface NodeAddressPolicyOptions {
  /** Ranges that nodes may be in besides their own address. */
  readonly nodeAllow: readonly string[];
  /** Host and port of everything of ours that listens. */
  readonly ownListeners: () => Iterable<PinnedAddress>;
  readonly resolve?: Resolve;
  /** Whether an address is one of this machine. Default: by its network interfaces. */
  readonly isOwn?: (address: IpAddress) => boolean;
}

/** Who asks. `anywhere` is for operators, who know what they type; the never-list holds for them as well. */
export interface Registrant {
  readonly peer: IpAddress | undefined;
  readonly mayNameAnywhere: boolean;
}

const MAX_RESOLVED = 16;
const RESOLVE_TIMEOUT_MS = 2_000;
/** Addresses outside the link-local range where clouds answer with credentials. */
const METADATA = new CidrList(['100.100.100.200', '168.63.129.16', 'fd00:ec2::254', 'fd20:ce::254']);
const NEVER: Readonly<Record<string, string>> = {
  linkLocal: 'link-local',
  multicast: 'multicast',
  unspecified: 'unspecified',
  broadcast: 'broadcast',
  // Forms that carry an IPv4 address inside, any of them.
  rfc6145: 'translated',
  rfc6052: 'translated',
  '6to4': 'translated',
  teredo: 'translated',
};

export class NodeAddressPolicy {
  readonly #nodeAllow: CidrList;
  readonly #ownListeners: () => Iterable<PinnedAddress>;
  readonly #resolve: Resolve;
  readonly #isOwn: (address: IpAddress) => boolean;

  constructor({ nodeAllow, ownListeners, resolve = resolveByDns, isOwn = isOfThisMachine }: NodeAddressPolicyOptions) {
    this.#nodeAllow = new CidrList(nodeAllow);
    this.#ownListeners = ownListeners;
    this.#resolve = resolve;
    this.#isOwn = isOwn;
  }

  /** Checks an announced address. Names are resolved once, every address of theirs is checked, and the first is used. */
  async check(url: NodeUrl, registrant: Registrant): Promise<PinnedAddress | Fault> {
    const { host, port } = nodeAddress(url);
    const literal = parseIp(host);
    const addresses = literal ? [literal] : await this.#addressesOf(host);
    if ('code' in addresses) return addresses;
    for (const address of addresses) {
      const objection = this.#objection(address, port, registrant);
      if (objection !== undefined) return refusal(`${url} may not be a node: ${objection}`);
    }
    return { host: addresses[0]!.toString(), port };
  }

  #objection(address: IpAddress, port: number, { peer, mayNameAnywhere }: Registrant): string | undefined {
    const never = METADATA.has(address) ? 'metadata' : NEVER[address.range()];
    if (never !== undefined) return `${address} is a ${never} address. Announce another one`;
    if (this.#isOwnListener(address, port))
      return `${address}:${port} is a listener of Rollcall itself. Announce the port of the program`;
    if (mayNameAnywhere || this.#nodeAllow.has(address)) return undefined;
    if (peer !== undefined && isSameAddress(peer, address)) return undefined;
    const from = peer ?? 'unknown';
    if (!isLoopback(address))
      return `${address} is not the address this connection comes from (${from}). Announce that address, or start the coordinator with --node-allow ${address}`;
    if (peer !== undefined && this.#isOwn(peer)) return undefined;
    return `${address} is a loopback address, and this connection comes from another machine (${from}). Let the program listen on 0.0.0.0 and announce its address in the network (\`run --address\`, SDK option \`url\`)`;
  }

  #isOwnListener(address: IpAddress, port: number): boolean {
    for (const listener of this.#ownListeners()) {
      if (listener.port !== port) continue;
      const own = parseIp(listener.host);
      if (own === undefined || own.range() === 'unspecified' ? this.#isOwn(address) : isSameAddress(own, address))
        return true;
    }
    return false;
  }

  async #addressesOf(name: string): Promise<readonly IpAddress[] | Fault> {
    let found: readonly string[];
    try {
      found = await this.#resolve(name);
    } catch {
      return unresolved(name);
    }
    const addresses = found.slice(0, MAX_RESOLVED).map(parseIp);
    const known = addresses.filter((address) => address !== undefined);
    return known.length > 0 && known.length === addresses.length ? known : unresolved(name);
  }
}

function refusal(message: string): Fault {
  return { code: 'bad-address', message };
}

function unresolved(name: string): Fault {
  return refusal(`the coordinator cannot resolve the name ${name}. Announce an IP address, or add the name to its DNS`);
}

async function resolveByDns(name: string): Promise<readonly string[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer for ${name}`)), RESOLVE_TIMEOUT_MS);
  });
  try {
    const found = await Promise.race([lookup(name, { all: true }), late]);
    return found.map(({ address }) => address);
  } finally {
    clearTimeout(timer);
  }
}
