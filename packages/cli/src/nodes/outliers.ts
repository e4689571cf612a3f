/** Nodes that the verdict of the coordinator compares with the others of their balancer. */
import type { NodeId, Verdict } from '@rollcall/protocol';

export interface Outliers {
  /** Nodes with more errors than the others. */
  readonly failing: ReadonlySet<NodeId>;
  /** Nodes that take longer than the others. */
  readonly slow: ReadonlySet<NodeId>;
}

/** Coordinators of earlier releases make no verdict: no node is marked. */
export function outliersOf(verdict: Verdict | undefined): Outliers {
  const nodesOf = (kind: string): ReadonlySet<NodeId> =>
    new Set(verdict?.problems.flatMap((problem) => (problem.kind === kind ? (problem.nodes ?? []) : [])));
  return { failing: nodesOf('errors'), slow: nodesOf('slow') };
}
