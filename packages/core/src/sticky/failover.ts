import type { Failover, GroupName, NodeId } from '@rollcall/protocol';
import { hashText, mixBits } from './text-hash.ts';

/** The facts about a node that failover may use. */
export interface FailoverCandidate {
  readonly id: NodeId;
  readonly weight: number;
  readonly group: GroupName | undefined;
}

/** A session that has lost its node, permanently or temporarily. */
export interface LostSession {
  readonly failover: Failover;
  /** Group of the lost node; `undefined` when it had none or is not known any more. */
  readonly group: GroupName | undefined;
  /** Hash of the session id, the same in every worker. */
  readonly hash: number;
}

/**
 * The node among `candidates` and not in `tried` that takes over a lost session; `undefined` when no node may.
 *
 * `any` and `eager` prefer the lost node's group. `group` accepts only nodes of this group, and all nodes when the lost
 * node had no group. `none` accepts no node.
 *
 * The choice depends only on the session, not on load or time. All requests of one session go to the same node while it is
 * eligible, also parallel ones and requests at other workers. The sessions of a lost node spread over the others by weight.
 *
 * @see Thaler and Ravishankar, "Using name-based mappings to increase hit rates" (1998): highest random weight.
 */
export function failoverNode<C extends FailoverCandidate>(
  candidates: readonly C[],
  session: LostSession,
  tried: ReadonlySet<NodeId>,
): C | undefined {
  if (session.failover === 'none') return undefined;
  const isGroupBound = session.group !== undefined && session.failover === 'group';
  let best: C | undefined;
  let bestCost = Number.POSITIVE_INFINITY;
  let isBestInGroup = false;
  for (const candidate of candidates) {
    if (tried.has(candidate.id)) continue;
    const isInGroup = session.group === undefined || candidate.group === session.group;
    if (!isInGroup && (isGroupBound || isBestInGroup)) continue;
    const cost = rendezvousCost(candidate, session.hash);
    if ((isInGroup && !isBestInGroup) || cost < bestCost || best === undefined) {
      best = candidate;
      bestCost = cost;
      isBestInGroup = isInGroup;
    }
  }
  return best;
}

/** Exponentially distributed per pair of node and session, with the node's weight as rate: the least cost wins. */
function rendezvousCost(candidate: FailoverCandidate, sessionHash: number): number {
  const uniform = (mixBits(hashText(candidate.id, 0) ^ sessionHash) + 0.5) / 0x1_0000_0000;
  return -Math.log(uniform) / Math.max(candidate.weight, Number.MIN_VALUE);
}
