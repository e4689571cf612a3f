/**
 * The node to which a server belongs, stored on the server itself. A second `rollcall()` of the process finds it, also in
 * another copy of this package (CommonJS beside ESM, or two versions).
 */
import type { Server } from 'node:http';
import type { NodeCore } from './node-core.ts';

/** Key of the property. Other copies use the same `NodeCore` interface: a changed interface needs another key. */
const OWNER = Symbol.for('@rollcall/agent node 1');

type Owned = Server & { [OWNER]?: NodeCore };

/** The node that `server` belongs to. */
export function ownerOf(server: Server): NodeCore | undefined {
  return (server as Owned)[OWNER];
}

export function own(server: Server, node: NodeCore): void {
  Object.defineProperty(server, OWNER, { value: node, configurable: true });
}

/** Frees `server` for another node. */
export function disown(server: Server): void {
  delete (server as Owned)[OWNER];
}
