/** Counts the requests of contexts that are in flight at a node, from the connections that the workers list. */
import { contextFor, contextKey, type HostedContext } from '@rollcall/core';
import type { ScoreboardAnswer } from '@rollcall/feed';
import type { NodeId } from '@rollcall/protocol';

/** Longest list of one worker; a list of this length may be incomplete. */
const LONGEST_LIST = 1_000;

export interface CountedNode {
  readonly id: NodeId;
  /** All contexts of the node: a request belongs to the best one that matches. */
  readonly all: readonly HostedContext[];
  /** The counted contexts, by `contextKey`. */
  readonly keys: ReadonlySet<string>;
}

/** The number of requests; `undefined` when a list is incomplete. Tunnels are not counted: the workers do not list their paths. */
export function requestsInFlight(
  { id, all, keys }: CountedNode,
  lists: readonly ScoreboardAnswer[],
): number | undefined {
  let count = 0;
  for (const { connections } of lists) {
    if (connections.length >= LONGEST_LIST) return undefined;
    for (const { node, state, host = '', path } of connections) {
      if (node !== id || state === 'idle' || state === 'tunnel') continue;
      const context = contextFor(all, { host, target: path });
      if (context !== undefined && keys.has(contextKey(context))) count += 1;
    }
  }
  return count;
}
