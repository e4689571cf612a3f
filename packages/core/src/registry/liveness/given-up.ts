/**
 * The rule by which a suspect node is given up. Two witnesses decide together: the registry, by the heartbeats of the node, and the
 * workers, by its port. The first case that applies decides:
 *
 * 1. A member of kind `lease` stays. It ends only with its term, for any reports on its port.
 * 2. A node with current heartbeats (`isUnheard` is false) stays.
 * 3. If a worker reports that the port answers, the node stays.
 * 4. If a worker reports that the port refuses connections, the node is `refused`.
 * 5. While its lease is not over, the node stays.
 * 6. If every context of the node has another live node, it is `expired`.
 * 7. Otherwise the node is the last of a context, and is `held`.
 *
 * An agent that is `refused` or `expired` is gone; a static member is down.
 */
import type { NodeKind } from '../node/node-record.ts';
import type { PortCounts } from './port-reports.ts';

/** The facts about a suspect node. */
export interface SuspectNode {
  readonly kind: NodeKind;
  /** False for an agent with current heartbeats whose new process or address awaits its probe: its port does not decide. */
  readonly isUnheard: boolean;
  readonly ports: PortCounts;
  /** No sign of life by either witness for a lease. */
  readonly isLeaseOver: boolean;
  /** Whether in every context of the node some other node is live. Called only when the lease is over. */
  areOthersLive(): boolean;
}

/** `held`: the lease is over, and the node is the last of a context. `refused` and `expired`: gone, or down for a static member. */
export type SuspectVerdict = 'stays' | 'held' | 'refused' | 'expired';

/** Judges a suspect node. */
export function judgeSuspect(node: SuspectNode): SuspectVerdict {
  if (node.kind === 'lease' || !node.isUnheard || node.ports.answers > 0) return 'stays';
  if (node.ports.refused > 0) return 'refused';
  if (!node.isLeaseOver) return 'stays';
  return node.areOthersLive() ? 'expired' : 'held';
}

/** True when a member without an agent, which is up, becomes suspect. Always false without a connected worker. */
export function isUnanswered({ answers, unknown, unresponsive, refused, 'given-up': givenUp }: PortCounts): boolean {
  return answers === 0 && unknown === 0 && unresponsive + refused + givenUp > 0;
}
