/** Counts the requests of contexts that are in flight at a node, from the connections that the workers list. */
import type { ScoreboardAnswer } from '@rollcall/feed';
import type { ContextPath, NodeId } from '@rollcall/protocol';

/** Longest list of one worker; a list of this length may be incomplete. */
const LONGEST_LIST = 1_000;

export interface CountedNode {
  readonly id: NodeId;
  /** All contexts of the node: a request belongs to the longest one that matches. */
  readonly all: readonly ContextPath[];
  readonly contexts: ReadonlySet<ContextPath>;
}

/** The number of requests; `undefined` when a list is incomplete. Tunnels are not counted: the workers do not list their paths. */
export function requestsInFlight(
  { id, all, contexts }: CountedNode,
  lists: readonly ScoreboardAnswer[],
): number | undefined {
  let count = 0;
  for (const { connections } of lists) {
    if (connections.length >= LONGEST_LIST) return undefined;
    for (const { node, state, path } of connections) {
      if (node !== id || state === 'idle' || state === 'tunnel') continue;
      const context = contextOf(path, all);
      if (context !== undefined && contexts.has(context)) count += 1;
    }
  }
  return count;
}

function contextOf(path: string, all: readonly ContextPath[]): ContextPath | undefined {
  let longest: ContextPath | undefined;
  for (const context of all) if (isUnder(context, path) && context.length > (longest?.length ?? 0)) longest = context;
  return longest;
}

function isUnder(context: ContextPath, path: string): boolean {
  if (context === '/') return true;
  return path.startsWith(context) && (path.length === context.length || '/;?'.includes(path[context.length]!));
}
