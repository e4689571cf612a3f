import type { Failover, GroupName, NodeId } from '@rollcall/protocol';
import { hashText, mixBits } from './text-hash.ts';

/** What failover may know of a node. */
export interface FailoverCandidate {
  readonly id: NodeId;
  readonly weight: number;
  readonly group: GroupName | undefined;
}

/** A session that has lost its node, for good or for the moment. */
export interface LostSession {
  readonly failover: Failover;
  /** Group of the lost node; `undefined` when it had none or is not known any more. */
  readonly group: GroupName | undefined;
  /** Hash of the session id, the same in every worker. */
  readonly hash: number;
}

/**
 * The node among `candidates` and not in `tried` that takes over a lost session; `undefined` when none may.
 *
 * `any` and `eager` prefer the lost node's group, `group` accepts nobody else (and everybody when the node had no group), `none`
 * nobody at all. The choice depends on the session alone, not on load or time: all requests of one session, also
 * parallel ones and those at other workers, come to the same node while it is eligible, and the sessions of a lost
 * node spread over the others by weight.
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
