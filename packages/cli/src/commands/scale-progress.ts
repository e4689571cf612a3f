/** How far a `scale` has come: what is up, what leaves, and what cannot come up. */
import type { CopiesResource, FailingCopyResource, NodeResource } from '@rollcall/protocol';
import { failingText } from '@rollcall/protocol';
import { counted } from '../format.ts';

export interface ScaleProgress {
  /** `5 of 9 up, 1 drained by an operator (counted), 3 failing: …, 1 leaving with 21 sessions`. */
  readonly line: string;
  /** `count` nodes are up or drained by an operator, and all others have left. */
  readonly isDone: boolean;
  /** Number of nodes that still have to come up; 0 or less when none has to. */
  readonly missing: number;
  /** Copies that fail. */
  readonly failing: readonly FailingCopyResource[];
  /** Each missing node is a copy that has failed at least `MANY_ATTEMPTS` times. */
  readonly isHopeless: boolean;
}

type ScaledNode = Pick<NodeResource, 'liveness' | 'status' | 'sessions'> & {
  readonly reported: Pick<NodeResource['reported'], 'status'>;
};

/** Failed attempts after which `scale --wait` gives up. */
export const MANY_ATTEMPTS = 3;

/**
 * `nodes`: those of the balancer, without gone ones. A node that an operator has drained or stopped counts: its program runs. A node
 * that has itself requested to drain or stop is leaving.
 */
export function scaleProgress(
  nodes: readonly ScaledNode[],
  { failing = [] }: Partial<Pick<CopiesResource, 'failing'>>,
  count: number,
): ScaleProgress {
  const leaving = nodes.filter(({ reported }) => reported.status !== 'enabled');
  const present = nodes.filter(({ liveness, reported }) => liveness === 'up' && reported.status === 'enabled');
  const up = present.filter(({ status }) => status === 'enabled').length;
  const drained = present.length - up;
  const missing = count - present.length;
  const sessions = leaving.reduce((sum, node) => sum + node.sessions, 0);
  const line = [
    `${up} of ${count} up`,
    ...(drained > 0 ? [`${drained} drained by an operator (counted)`] : []),
    ...(failing.length > 0 ? [`${failing.length} failing: ${failingText(failing)}`] : []),
    ...(leaving.length > 0 ? [`${leaving.length} leaving with ${counted(sessions, 'session')}`] : []),
  ].join(', ');
  const hopeless = failing.filter(({ attempts }) => attempts >= MANY_ATTEMPTS).length;
  return {
    line,
    isDone: missing === 0 && nodes.length === count,
    missing,
    failing,
    isHopeless: missing > 0 && hopeless >= missing,
  };
}
