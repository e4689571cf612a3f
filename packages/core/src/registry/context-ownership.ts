/**
 * Which balancer serves a context on a host. A (host, context) belongs to one balancer for as long as one of its nodes
 * is present; otherwise a stray node could take over a site by registering `/`. Static members claim theirs with their first answer.
 */
import type { BalancerName, ContextPath, HostPattern, NodeId, NodeRegistration } from '@rollcall/protocol';

interface Claim {
  readonly host: HostPattern;
  readonly path: ContextPath;
  readonly balancer: BalancerName;
  readonly nodes: Set<NodeId>;
}

/** A claim that stands in the way of another balancer. */
export interface Conflict {
  readonly host: HostPattern;
  readonly path: ContextPath;
  readonly balancer: BalancerName;
  readonly nodes: number;
}

type Claimant = Pick<NodeRegistration, 'id' | 'balancer' | 'hosts' | 'contexts'>;

export class ContextOwnership {
  readonly #claims = new Map<string, Claim>();

  /** The first claim of another balancer that `node` collides with; its own earlier claims do not count. */
  conflict(node: Claimant): Conflict | undefined {
    for (const key of claimKeys(node)) {
      const claim = this.#claims.get(key.text);
      if (claim === undefined || claim.balancer === node.balancer) continue;
      if (claim.nodes.size === 1 && claim.nodes.has(node.id)) continue;
      return { host: claim.host, path: claim.path, balancer: claim.balancer, nodes: claim.nodes.size };
    }
    return undefined;
  }

  /** Claims all contexts of `node`, which must be free of conflicts and hold no claims. */
  take(node: Claimant): void {
    for (const { text, host, path } of claimKeys(node)) {
      const claim = this.#claims.get(text);
      if (claim) claim.nodes.add(node.id);
      else this.#claims.set(text, { host, path, balancer: node.balancer, nodes: new Set([node.id]) });
    }
  }

  release(node: Claimant): void {
    for (const { text } of claimKeys(node)) {
      const claim = this.#claims.get(text);
      if (claim?.nodes.delete(node.id) && claim.nodes.size === 0) this.#claims.delete(text);
    }
  }
}

function* claimKeys(node: Claimant): Generator<{ text: string; host: HostPattern; path: ContextPath }> {
  for (const host of node.hosts) for (const { path } of node.contexts) yield { text: `${host} ${path}`, host, path };
}

/** Says who serves the context and what the newcomer of `balancer` can do about it. */
export function adviceOn(conflict: Conflict, balancer: BalancerName): string {
  const { host, path, balancer: holder, nodes } = conflict;
  const ownPath = path === `/${balancer}` ? `/${balancer}-2` : `/${balancer}`;
  const suffix = host === '*' || host.startsWith('[') ? 'localhost' : host.replace(/^\*\./, '');
  const count = nodes === 1 ? '1 node' : `${nodes} nodes`;
  return (
    `\`${path}\` on \`${host}\` is served by balancer ${holder} (${count}); ` +
    `use --context ${ownPath}, --host ${balancer.toLowerCase()}.${suffix}, or --balancer ${holder}`
  );
}
