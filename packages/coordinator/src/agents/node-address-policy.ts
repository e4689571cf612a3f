/**
 * The addresses that may be nodes, from the view of the coordinator. The rule is `ReachRule` of core, which workers check at each
 * connect too.
 *
 * The address must be that of the peer, or on this machine if the peer is, or within `--node-allow`. It is never a link-local,
 * metadata, multicast or unspecified address, nor a listener of the coordinator. Operators may register any other address, but
 * loopback only from this machine.
 *
 * A loopback address belongs to this machine, whichever machine announces it. Connections through a reverse proxy or a tunnel on this
 * machine come from loopback. Agents behind one are therefore treated as agents of this machine, and their programs must be reachable
 * here.
 */
import { lookup } from 'node:dns/promises';
import { type ReachObjection, ReachRule } from '@rollcall/core';
import type { NodeReach, ReachBounds } from '@rollcall/feed';
import type { Fault, NodeUrl } from '@rollcall/protocol';
import { nodeAddress } from '@rollcall/protocol';
import { CidrList, type IpAddress, isOfThisMachine, ownRanges, parseIp } from '../network/addresses.ts';

/** All addresses of a name, as text. Rejects if there is no address. */
export type Resolve = (name: string) => Promise<readonly string[]>;

/** The address to connect to for a node: checked, and not resolved again. */
export interface PinnedAddress {
  readonly host: string;
  readonly port: number;
}

export interface NodeAddressPolicyOptions {
  /** Ranges that are allowed besides the own address of a node. */
  readonly nodeAllow: readonly string[];
  /** Host and port of all listeners of the coordinator. */
  readonly ownListeners: () => Iterable<PinnedAddress>;
  readonly resolve?: Resolve;
  /** True for an address of this machine. Default: by its network interfaces. */
  readonly isOwn?: (address: IpAddress) => boolean;
}

/** The client that registers a node. `anywhere` is for operators; the list of forbidden addresses applies to them too. */
export interface Registrant {
  readonly peer: IpAddress | undefined;
  readonly mayNameAnywhere: boolean;
}

/** For records of earlier releases, which do not contain the registrant. */
export const UNKNOWN_REACH: NodeReach = { isLocal: true, isAnywhere: true };

const MAX_RESOLVED = 16;
const RESOLVE_TIMEOUT_MS = 2_000;

export class NodeAddressPolicy {
  readonly #nodeAllow: readonly string[];
  readonly #ownListeners: () => Iterable<PinnedAddress>;
  readonly #resolve: Resolve;
  readonly #isOwn: (address: IpAddress) => boolean;
  /** Addresses of the listeners given by name, as last resolved. */
  readonly #named = new Map<string, readonly string[]>();

  /** Throws for an invalid range, because a range dropped silently would change the policy. */
  constructor({ nodeAllow, ownListeners, resolve = resolveByDns, isOwn = isOfThisMachine }: NodeAddressPolicyOptions) {
    new CidrList(nodeAllow);
    this.#nodeAllow = nodeAllow;
    this.#ownListeners = ownListeners;
    this.#resolve = resolve;
    this.#isOwn = isOwn;
  }

  /** The addresses that nodes of a registrant may have. */
  reachOf({ peer, mayNameAnywhere }: Registrant): NodeReach {
    return {
      ...(peer !== undefined && { from: peer.toString() }),
      isLocal: peer !== undefined && this.#isOwn(peer),
      isAnywhere: mayNameAnywhere,
    };
  }

  /** Checks an announced address. Names are resolved once, all their addresses are checked, and the first is used. */
  async check(url: NodeUrl, reach: NodeReach): Promise<PinnedAddress | Fault> {
    const { host, port } = nodeAddress(url);
    const literal = parseIp(host);
    const addresses = literal ? [literal.toString()] : await this.#addressesOf(host);
    if ('code' in addresses) return addresses;
    await this.learnNames(port);
    const bounds = { listeners: this.#listeners(), allow: this.#nodeAllow };
    const rule = new ReachRule(bounds, (text) => this.#isOwnText(text));
    for (const address of addresses) {
      const objection = rule.objection(address, port, reach);
      if (objection !== undefined)
        return refusal(`${url} may not be a node: ${inWords(objection, address, port, reach.from)}`);
    }
    return { host: addresses[0]!, port };
  }

  /**
   * The data that workers need for the same rule. Workers may be on another machine, so `0.0.0.0` is sent as the addresses of
   * this machine.
   */
  bounds(): ReachBounds {
    const own = ownRanges();
    const listeners = this.#listeners().flatMap(({ host, port }) => {
      const address = parseIp(host);
      const hosts = address === undefined || address.range() === 'unspecified' ? own : [host];
      return hosts.map((one) => ({ host: one, port }));
    });
    return { listeners, allow: this.#nodeAllow };
  }

  /**
   * All listeners, with the addresses of their names. A listener whose name has no address counts as one on each address of this
   * machine.
   */
  #listeners(): PinnedAddress[] {
    return [...this.#ownListeners()].flatMap(({ host, port }) =>
      (this.#named.get(host) ?? [host]).map((address) => ({ host: address, port })),
    );
  }

  /** Resolves the names of the listeners on `port`, or of all, because their addresses may have changed. Never rejects. */
  async learnNames(port?: number): Promise<void> {
    for (const listener of [...this.#ownListeners()]) {
      if ((port !== undefined && listener.port !== port) || parseIp(listener.host)) continue;
      const found = await this.#resolve(listener.host).catch(() => undefined);
      if (found) this.#named.set(listener.host, found);
    }
  }

  #isOwnText(text: string): boolean {
    const address = parseIp(text);
    return address !== undefined && this.#isOwn(address);
  }

  async #addressesOf(name: string): Promise<readonly string[] | Fault> {
    let found: readonly string[];
    try {
      found = await this.#resolve(name);
    } catch {
      return unresolved(name);
    }
    const addresses = found.slice(0, MAX_RESOLVED).map(parseIp);
    const known = addresses.filter((address) => address !== undefined);
    return known.length > 0 && known.length === addresses.length ? known.map(String) : unresolved(name);
  }
}

function inWords(objection: ReachObjection, address: string, port: number, from = 'unknown'): string {
  switch (objection.type) {
    case 'never':
      return `${address} is ${objection.what}. Announce another one`;
    case 'own-listener':
      return `${address}:${port} is a listener of Rollcall itself. Announce the port of the program`;
    case 'loopback':
      return `${address} is a loopback address, and this connection comes from another machine (${from}). Let the program listen on 0.0.0.0 and announce its address in the network (\`run --address\`, SDK option \`url\`), or start the coordinator with --node-allow ${address}`;
    case 'elsewhere':
      return `${address} is not the address this connection comes from (${from}). Announce that address, or start the coordinator with --node-allow ${address}`;
    default:
      return objection satisfies never;
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
