/**
 * Which node a server belongs to. It is written on the server itself, so that a second `rollcall()` in the process finds
 * the first, also when it comes from another copy of this package (CommonJS beside ESM, or two versions).
 */
import type { Server } from 'node:http';
import type { NodeCore } from './node-core.ts';

/** The shape of `NodeCore` is shared with other copies: another shape needs another name. */
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
