/** The use of nodes at other coordinators: a drain that an operator requested ends when none of their workers uses the node any more. */
import type { NodeId } from '@rollcall/protocol';
import { type DrainUse, MAX_NODES_IN_USE, type NodeUse } from '../../replication/shared-store.ts';
import type { CoordinatorUse } from '../commands.ts';
import type { Usage } from '../node/drain.ts';

/**
 * `own` with the use at other coordinators; `undefined`: none has reported since the drain began. Sums: a session that two of them have seen
 * counts twice.
 */
export function withUseElsewhere(own: Usage, id: NodeId, coordinators: readonly CoordinatorUse[] | undefined): Usage {
  if (coordinators === undefined) return { ...own, waitingFor: [...own.waitingFor, 'the other coordinators'] };
  let { sessions, sessionsSeenOnce, inFlight, tunnels } = own;
  const waitingFor = [...own.waitingFor];
  for (const { name, use } of coordinators) {
    const used = use === undefined ? null : usedAt(use, id);
    if (used === null) waitingFor.push(`coordinator ${name}`);
    else {
      sessions += used[0];
      sessionsSeenOnce += used[1];
      inFlight += used[2];
      tunnels += used[3];
    }
  }
  return { sessions, sessionsSeenOnce, inFlight, tunnels, waitingFor };
}

function usedAt({ nodes, isWhole }: DrainUse, id: NodeId): NodeUse {
  if (Object.hasOwn(nodes, id)) return nodes[id] ?? null;
  return isWhole ? [0, 0, 0, 0] : null;
}

/** What this coordinator announces about nodes under an operator's drain. */
export function drainUse(usages: Iterable<readonly [NodeId, Usage]>): DrainUse {
  const nodes: Record<string, NodeUse> = {};
  let count = 0;
  for (const [id, { sessions, sessionsSeenOnce, inFlight, tunnels, waitingFor }] of usages) {
    const numbers = [sessions, sessionsSeenOnce, inFlight, tunnels] as const;
    if (waitingFor.length === 0 && numbers.every((number) => number === 0)) continue;
    count += 1;
    if (count > MAX_NODES_IN_USE) return { nodes, isWhole: false };
    nodes[id] = waitingFor.length > 0 ? null : numbers;
  }
  return { nodes, isWhole: true };
}
