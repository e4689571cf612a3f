/**
 * Asks at each connect to a node whether it may be connected to. A literal address is asked about once for each state of the rule. A name is
 * resolved by the connect itself, and all addresses that it has then are asked about: the connect goes to one of them, so a name
 * that changes its address reaches nothing that was not allowed. Nothing of this happens per request.
 */
import { type LookupAddress, lookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { networkInterfaces } from 'node:os';
import { isLoopbackIp, type ReachObjection, ReachRule } from '@rollcall/core';
import type { NodeReach, ReachBounds } from '@rollcall/protocol';
import type { UpstreamNode } from './routing.ts';

/** `code` of the error of a connect that was not allowed. */
export const NOT_ALLOWED = 'ERR_NODE_ADDRESS';

/** A node as far as the guard looks at it. */
export type GuardedNode = Pick<UpstreamNode, 'host' | 'port' | 'reach'>;

/** Where to connect. */
export interface ConnectTarget {
  readonly host: string;
  readonly lookup?: LookupFunction;
}

export interface ConnectGuardOptions<Node extends GuardedNode> {
  /** The rule in force; `undefined` before a coordinator has sent it: only what no node may have is refused then. */
  readonly bounds: () => ReachBounds | undefined;
  /** A connect was not allowed. */
  readonly onRefused: (node: Node, reason: string) => void;
  /** Whether an address is one of this machine, for listeners that are on each of them. Default: none is. */
  readonly isOwn?: (address: string) => boolean;
  /** Resolves names. Default: the system's resolver. */
  readonly resolve?: (name: string, done: (error: Error | null, addresses: LookupAddress[]) => void) => void;
}

interface Verdict {
  readonly rule: ReachRule;
  readonly reach: NodeReach | undefined;
  readonly reason: string | undefined;
}

/** Of nodes whose registrant is not known, and while the rule is not known. */
const UNKNOWN_REACH: NodeReach = { isLocal: true, isAnywhere: true };
const UNKNOWN_BOUNDS: ReachBounds = { listeners: [], allow: [] };

export class ConnectGuard<Node extends GuardedNode> {
  readonly #options: ConnectGuardOptions<Node>;
  readonly #verdicts = new WeakMap<Node, Verdict>();
  #bounds: ReachBounds = UNKNOWN_BOUNDS;
  #rule: ReachRule;

  constructor(options: ConnectGuardOptions<Node>) {
    this.#options = options;
    this.#rule = this.#ruleOf(UNKNOWN_BOUNDS);
  }

  /** How to connect to `node`; one that may not be connected to fails like a name that cannot be resolved, with `NOT_ALLOWED`. */
  target(node: Node): ConnectTarget {
    if (isIP(node.host) === 0) return { host: node.host, lookup: this.#lookup(node) };
    const reason = this.#verdict(node);
    if (reason === undefined) return { host: node.host };
    this.#options.onRefused(node, reason);
    return { host: 'not-allowed.invalid', lookup: (_, __, done) => process.nextTick(done, notAllowed(reason), []) };
  }

  #verdict(node: Node): string | undefined {
    const rule = this.#current();
    const known = this.#verdicts.get(node);
    if (known?.rule === rule && known.reach === node.reach) return known.reason;
    const reason = this.#reason(node, node.host);
    this.#verdicts.set(node, { rule, reach: node.reach, reason });
    return reason;
  }

  #current(): ReachRule {
    const bounds = this.#options.bounds() ?? UNKNOWN_BOUNDS;
    if (bounds !== this.#bounds) {
      this.#bounds = bounds;
      this.#rule = this.#ruleOf(bounds);
    }
    return this.#rule;
  }

  #ruleOf(bounds: ReachBounds): ReachRule {
    return new ReachRule(bounds, this.#options.isOwn ?? (() => false));
  }

  #reason(node: Node, address: string): string | undefined {
    const rule = this.#current();
    const reach = this.#options.bounds() === undefined ? UNKNOWN_REACH : (node.reach ?? UNKNOWN_REACH);
    const objection = rule.objection(address, node.port, reach);
    return objection && inWords(objection, node, address, reach);
  }

  #lookup(node: Node): LookupFunction {
    const resolve = this.#options.resolve ?? resolveBySystem;
    return (name, { all }, done) =>
      resolve(name, (error, addresses) => {
        if (error || addresses.length === 0) {
          done(error ?? Object.assign(new Error(`${name} has no address`), { code: 'ENOTFOUND' }), []);
          return;
        }
        for (const { address } of addresses) {
          const reason = this.#reason(node, address);
          if (reason === undefined) continue;
          this.#options.onRefused(node, reason);
          done(notAllowed(reason), []);
          return;
        }
        if (all) done(null, addresses);
        else done(null, addresses[0]!.address, addresses[0]!.family);
      });
  }
}

/** True for loopback and for the addresses of this machine's interfaces. */
export function isOfThisMachine(address: string): boolean {
  if (isLoopbackIp(address)) return true;
  return Object.values(networkInterfaces()).some((entries) => entries?.some((entry) => entry.address === address));
}

function resolveBySystem(name: string, done: (error: Error | null, addresses: LookupAddress[]) => void): void {
  lookup(name, { all: true }, done);
}

function notAllowed(reason: string): NodeJS.ErrnoException {
  return Object.assign(new Error(reason), { code: NOT_ALLOWED });
}

function inWords(objection: ReachObjection, { host, port }: GuardedNode, address: string, reach: NodeReach): string {
  const what = host === address ? address : `${host} is ${address}, which`;
  switch (objection.type) {
    case 'never':
      return `${what} is a ${objection.what} address`;
    case 'own-listener':
      return `${what}${host === address ? `:${port}` : ` at port ${port}`} is a listener of Rollcall itself`;
    case 'loopback':
      return `${what} is a loopback address, and the node was registered from another machine (${reach.from ?? 'unknown'})`;
    case 'elsewhere':
      return `${what} is not the address that the node was registered from (${reach.from ?? 'unknown'}); --node-allow allows others`;
    default:
      return objection satisfies never;
  }
}
