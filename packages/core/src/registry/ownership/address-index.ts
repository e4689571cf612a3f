/** The nodes that are registered at an address, without static members: these may share addresses. */
import type { NodeId, NodeUrl } from '@rollcall/protocol';
import { addressKey } from '../node/node-address.ts';

export class AddressIndex {
  readonly #nodes = new Map<string, Set<NodeId>>();

  /** Nodes at the address of `url`, in order of their registration. */
  at(url: NodeUrl): ReadonlySet<NodeId> {
    return this.#nodes.get(addressKey(url)) ?? NONE;
  }

  /** Adds a node. Idempotent. */
  enter(url: NodeUrl, id: NodeId): void {
    const key = addressKey(url);
    const nodes = this.#nodes.get(key);
    if (nodes) nodes.add(id);
    else this.#nodes.set(key, new Set([id]));
  }

  /** Removes a node; no effect if it is not at the address. */
  leave(url: NodeUrl, id: NodeId): void {
    const key = addressKey(url);
    const nodes = this.#nodes.get(key);
    if (nodes?.delete(id) && nodes.size === 0) this.#nodes.delete(key);
  }
}

const NONE: ReadonlySet<NodeId> = new Set();
