/**
 * The balancer and the token that serve a context on a host.
 *
 * A (host, context) belongs to one balancer for as long as one of its nodes is present. A context below it, or a host inside it, takes part
 * of its traffic: the longest match wins. It is therefore reserved for nodes of the same token name. Static members claim their contexts
 * with their first answer.
 */
import type { BalancerName, ContextPath, HostPattern, NodeId, NodeRegistration } from '@rollcall/protocol';
import { contextKey, hostedContexts, hostsOf } from '../../contexts/hosted-context.ts';
import { SortedPaths } from './sorted-paths.ts';

interface Claim {
  readonly host: HostPattern;
  readonly path: ContextPath;
  readonly balancer: BalancerName;
  readonly nodes: Set<NodeId>;
}

/** A claim that conflicts with another balancer or token. */
export interface Conflict {
  readonly host: HostPattern;
  readonly path: ContextPath;
  readonly balancer: BalancerName;
  readonly nodes: number;
}

/** A context that takes part of the traffic of a context of another token. */
export interface Shadow {
  readonly host: HostPattern;
  readonly path: ContextPath;
  /** The enclosing context with its balancer. */
  readonly inside: Conflict;
  readonly owner: string;
}

/** Distinct hosts, and distinct contexts (a host and a path), of one balancer. */
export interface Extent {
  readonly hosts: number;
  readonly contexts: number;
}

export type Claimant = Pick<NodeRegistration, 'id' | 'balancer' | 'hosts' | 'contexts'>;

const NOTHING: Extent = { hosts: 0, contexts: 0 };

export class ContextOwnership {
  readonly #claims = new Map<string, Claim>();
  /** Number of nodes of the balancer that claim each host and each context. */
  readonly #extents = new Map<
    BalancerName,
    { readonly hosts: Map<string, number>; readonly contexts: Map<string, number> }
  >();
  /** By host and owner. */
  readonly #paths = new Map<HostPattern, Map<string, SortedPaths>>();

  /** The first claim of another balancer that `node` collides with; its own earlier claims do not count. */
  conflict(node: Claimant): Conflict | undefined {
    for (const context of hostedContexts(node)) {
      const claim = this.#claims.get(contextKey(context));
      if (claim === undefined || claim.balancer === node.balancer) continue;
      if (claim.nodes.size === 1 && claim.nodes.has(node.id)) continue;
      return conflictWith(claim);
    }
    return undefined;
  }

  /** All nodes of other balancers that serve a context of `node`. */
  rivals(node: Claimant): NodeId[] {
    const ids = new Set<NodeId>();
    for (const context of hostedContexts(node)) {
      const claim = this.#claims.get(contextKey(context));
      if (claim === undefined || claim.balancer === node.balancer) continue;
      for (const id of claim.nodes) if (id !== node.id) ids.add(id);
    }
    return [...ids];
  }

  /** True while a node has claimed the context on the host. */
  isHeld(host: HostPattern, path: ContextPath): boolean {
    return this.#claims.has(contextKey({ host, path }));
  }

  /** The first context of `node` that takes traffic of another owner's context. Contexts that its balancer already serves do not count. */
  shadow(node: Claimant, owner: string): Shadow | undefined {
    for (const [host, added] of this.#added(node))
      for (const outer of enclosing(host))
        for (const [other, paths] of this.#paths.get(outer) ?? [])
          if (other !== owner)
            for (const path of added) {
              const above = paths.above(path, outer !== host);
              const taken = above ?? (outer === host ? undefined : paths.below(path));
              if (taken === undefined) continue;
              const claim = this.#claims.get(contextKey({ host: outer, path: taken }))!;
              return { host, path, inside: conflictWith(claim), owner: other };
            }
    return undefined;
  }

  /** The contexts of `node` that its balancer does not serve, by host: a host with many labels is inside many others. */
  #added(node: Claimant): ReadonlyMap<HostPattern, readonly ContextPath[]> {
    const added = new Map<HostPattern, ContextPath[]>();
    for (const { host, path } of hostedContexts(node)) {
      if (this.#claims.get(contextKey({ host, path }))?.balancer === node.balancer) continue;
      const paths = added.get(host);
      if (paths) paths.push(path);
      else added.set(host, [path]);
    }
    return added;
  }

  /** The extent of the balancer of `next` if `next` replaced `held`, whose claims it has now. */
  extentWith(next: Claimant, held: Claimant | undefined): Extent {
    const now = this.#extents.get(next.balancer);
    const before = held?.balancer === next.balancer ? held : undefined;
    return {
      hosts: sizeWith(now?.hosts, before && hostsOf(before), hostsOf(next)),
      contexts: sizeWith(now?.contexts, before && keysOf(before), keysOf(next)),
    };
  }

  extent(balancer: BalancerName): Extent {
    const { hosts, contexts } = this.#extents.get(balancer) ?? {};
    return hosts === undefined ? NOTHING : { hosts: hosts.size, contexts: contexts!.size };
  }

  /** Claims all contexts of `node`, which must be free of conflicts and hold no claims. */
  take(node: Claimant, owner: string): void {
    const extent = this.#extents.get(node.balancer) ?? { hosts: new Map(), contexts: new Map() };
    this.#extents.set(node.balancer, extent);
    for (const host of hostsOf(node)) add(extent.hosts, host, 1);
    for (const { host, path } of hostedContexts(node)) {
      const text = contextKey({ host, path });
      const claim = this.#claims.get(text);
      if (claim) claim.nodes.add(node.id);
      else this.#claims.set(text, { host, path, balancer: node.balancer, nodes: new Set([node.id]) });
      add(extent.contexts, text, 1);
      const ofHost = this.#paths.get(host) ?? new Map<string, SortedPaths>();
      this.#paths.set(host, ofHost);
      const paths = ofHost.get(owner) ?? new SortedPaths();
      ofHost.set(owner, paths);
      paths.add(path);
    }
  }

  /** Releases the claims that `node` has taken as `owner`; returns the contexts that have no node any more. */
  release(node: Claimant, owner: string): readonly Pick<Claim, 'host' | 'path' | 'balancer'>[] {
    const vacated: Claim[] = [];
    const extent = this.#extents.get(node.balancer);
    let isHolder = false;
    for (const { host, path } of hostedContexts(node)) {
      const text = contextKey({ host, path });
      const claim = this.#claims.get(text);
      if (!claim?.nodes.delete(node.id)) continue;
      isHolder = true;
      if (claim.nodes.size === 0) {
        this.#claims.delete(text);
        vacated.push(claim);
      }
      if (extent) add(extent.contexts, text, -1);
      const ofHost = this.#paths.get(host);
      const paths = ofHost?.get(owner);
      if (paths?.remove(path)) ofHost!.delete(owner);
      if (ofHost?.size === 0) this.#paths.delete(host);
    }
    if (!isHolder || !extent) return vacated;
    for (const host of hostsOf(node)) add(extent.hosts, host, -1);
    if (extent.hosts.size === 0) this.#extents.delete(node.balancer);
    return vacated;
  }
}

function conflictWith({ host, path, balancer, nodes }: Claim): Conflict {
  return { host, path, balancer, nodes: nodes.size };
}

function keysOf(node: Claimant): ReadonlySet<string> {
  return new Set(Array.from(hostedContexts(node), contextKey));
}

/** The host itself and the patterns that match every name that it matches. */
function* enclosing(host: HostPattern): Generator<HostPattern> {
  yield host;
  if (host === '*') return;
  if (!host.startsWith('['))
    for (let dot = host.indexOf('.', host.startsWith('*.') ? 2 : 0); dot >= 0; dot = host.indexOf('.', dot + 1))
      yield `*${host.slice(dot)}` as HostPattern;
  yield '*' as HostPattern;
}

function sizeWith(
  counts: ReadonlyMap<string, number> = new Map(),
  before: ReadonlySet<string> = new Set(),
  wanted: ReadonlySet<string>,
): number {
  let size = counts.size;
  for (const key of before) if (!wanted.has(key) && counts.get(key) === 1) size -= 1;
  for (const key of wanted) if (!counts.has(key)) size += 1;
  return size;
}

function add(counts: Map<string, number>, key: string, by: number): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}

/** Names the balancer that serves the context, and the remedies for a node of `balancer`. */
export function adviceOn(conflict: Conflict, balancer: BalancerName): string {
  const { host, path, balancer: holder } = conflict;
  const ownPath = path === `/${balancer}` ? `/${balancer}-2` : `/${balancer}`;
  const suffix = host === '*' || host.startsWith('[') ? 'localhost' : host.replace(/^\*\./, '');
  return (
    `\`${path}\` on \`${host}\` is served by balancer ${holder} (${counted(conflict)}); ` +
    `use --context ${ownPath}, --host ${balancer.toLowerCase()}.${suffix}, or --balancer ${holder}`
  );
}

/** Names the context, token and balancer whose traffic the new context would take, and the remedies. */
export function shadowAdvice({ host, path, inside, owner }: Shadow): string {
  return (
    `\`${path}\` on \`${host}\` would take part of the traffic of \`${inside.path}\` on \`${inside.host}\`, which token ${owner} serves ` +
    `(balancer ${inside.balancer}, ${counted(inside)}); register with that token, have the context listed in the bindings of this token, or use another --context or --host`
  );
}

function counted({ nodes }: Conflict): string {
  return nodes === 1 ? '1 node' : `${nodes} nodes`;
}
