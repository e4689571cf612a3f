/**
 * Checks at each connect whether the node may be connected to. A literal address is checked once for each state of the rule. For a name,
 * all addresses of the resolution that the connect uses are checked, so a changed address cannot reach a forbidden target. No check runs
 * per request.
 */
import { type LookupAddress, lookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { type ReachObjection, ReachRule } from '@rollcall/core';
import type { NodeReach, ReachBounds } from '@rollcall/feed';
import { NOT_ALLOWED } from './failure.ts';
import type { UpstreamNode } from './router.ts';

/** A node as the guard sees it. */
export type GuardedNode = Pick<UpstreamNode, 'host' | 'port' | 'reach'>;

/** Target of a connect. */
export interface ConnectTarget {
  readonly host: string;
  readonly lookup?: LookupFunction;
}

export interface ConnectGuardOptions<Node extends GuardedNode> {
  /** The rule in force; `undefined` before the coordinator has sent it. Then only addresses that no node may have are refused. */
  readonly bounds: () => ReachBounds | undefined;
  /** A connect was not allowed. */
  readonly onRefused: (node: Node, reason: string) => void;
  /** A connect was allowed. */
  readonly onAllowed?: (node: Node) => void;
  /** True for an address of this machine, for listeners on all addresses. Default: always false. */
  readonly isOwn?: (address: string) => boolean;
  /** Resolves names. Default: the system's resolver. */
  readonly resolve?: (name: string, done: (error: Error | null, addresses: LookupAddress[]) => void) => void;
}

interface Verdict {
  readonly rule: ReachRule;
  readonly reach: NodeReach | undefined;
  readonly reason: string | undefined;
}

/** For nodes with an unknown registrant, and while the rule is unknown. */
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

  /** The target for `node`. A forbidden target fails like a name that cannot be resolved, with `NOT_ALLOWED`. */
  target(node: Node): ConnectTarget {
    if (isIP(node.host) === 0) return { host: node.host, lookup: this.#lookup(node) };
    const reason = this.#verdict(node);
    if (reason === undefined) {
      this.#options.onAllowed?.(node);
      return { host: node.host };
    }
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
        this.#options.onAllowed?.(node);
        if (all) done(null, addresses);
        else done(null, addresses[0]!.address, addresses[0]!.family);
      });
  }
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
      return `${what} is ${objection.what}`;
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
