/**
 * When a suspect node is given up. Two witnesses decide together: the registry, which hears the node or does not, and the workers,
 * which reach its port or do not.
 *
 * | a worker: answers | a worker: refused | lease over | another node of each context is live | agent   | static | lease |
 * |---|---|---|---|---|---|---|
 * | yes               | any               | any        | any                                   | stays   | stays  | stays |
 * | no                | yes               | any        | any                                   | refused | down   | stays |
 * | no                | no                | yes        | yes                                   | expired | down   | stays |
 * | no                | no                | yes        | no                                    | held    | held   | stays |
 * | no                | no                | no         | any                                   | stays   | stays  | stays |
 *
 * A member of kind `lease` ends with its term alone, whatever the ports say.
 */
import type { NodeKind } from './node-record.ts';
import type { PortCounts } from './port-reports.ts';

/** What is known of a suspect node. */
export interface SuspectNode {
  readonly kind: NodeKind;
  /** False for an agent that is heard and whose new process or address awaits its probe: its port does not decide. */
  readonly isUnheard: boolean;
  readonly ports: PortCounts;
  /** No sign of life by either witness for a lease. */
  readonly isLeaseOver: boolean;
  /** Whether in every context of the node some other node is live. Asked only when the lease is over. */
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

/** True when a member without an agent, which is up, no longer counts as heard. Without a connected worker nothing changes. */
export function isUnanswered({ answers, unknown, unresponsive, refused, 'given-up': givenUp }: PortCounts): boolean {
  return answers === 0 && unknown === 0 && unresponsive + refused + givenUp > 0;
}
