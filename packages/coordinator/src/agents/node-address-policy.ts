/**
 * Which addresses may be nodes. A registration makes the coordinator and every worker connect somewhere, so without a
 * rule it would be a way to reach whatever the coordinator's network reaches (server-side request forgery).
 *
 * The address must be the peer's own, or on this machine when the peer is, or within `--node-allow`; and never a link-local, metadata,
 * multicast or unspecified address, nor one of our own listeners.
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

  constructor({ nodeAllow, ownListeners, resolve = resolveByDns }: NodeAddressPolicyOptions) {
    this.#nodeAllow = new CidrList(nodeAllow);
    this.#ownListeners = ownListeners;
    this.#resolve = resolve;
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
    if (never !== undefined) return `${address} is a ${never} address`;
    if (this.#isOwnListener(address, port)) return `${address}:${port} is a listener of Rollcall itself`;
    if (mayNameAnywhere || this.#nodeAllow.has(address)) return undefined;
    if (peer !== undefined && isSameAddress(peer, address)) return undefined;
    if (isLoopback(address) && isLoopback(peer)) return undefined;
    return `${address} is not the address this connection comes from (${peer ?? 'unknown'}); --node-allow adds ranges`;
  }

  #isOwnListener(address: IpAddress, port: number): boolean {
    for (const listener of this.#ownListeners()) {
      if (listener.port !== port) continue;
      const own = parseIp(listener.host);
      if (own === undefined || own.range() === 'unspecified' ? isOfThisMachine(address) : isSameAddress(own, address))
        return true;
    }
    return false;
  }

  async #addressesOf(name: string): Promise<readonly IpAddress[] | Fault> {
    let found: readonly string[];
    try {
      found = await this.#resolve(name);
    } catch {
      return refusal(`the name ${name} cannot be resolved here`);
    }
    const addresses = found.slice(0, MAX_RESOLVED).map(parseIp);
    const known = addresses.filter((address) => address !== undefined);
    return known.length > 0 && known.length === addresses.length
      ? known
      : refusal(`the name ${name} cannot be resolved here`);
  }
}

function refusal(message: string): Fault {
  return { code: 'bad-address', message };
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
