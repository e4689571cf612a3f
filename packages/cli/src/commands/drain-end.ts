/** How a drain or stop of one node has ended, in the words of `drain --wait` and `nodes`. */
import { drainEndText, isPresent, type NodeResource } from '@rollcall/protocol';
import { EXIT } from '../exit.ts';

export interface DrainEnd {
  /** As `drainEndText`, or `stopped`. */
  readonly word: string;
  readonly exitCode: number;
}

export type DrainedNode = Pick<NodeResource, 'status' | 'liveness' | 'drain'> & Partial<Pick<NodeResource, 'sessions'>>;

/**
 * The end of the node's drain or stop; `undefined` while it continues. `sessionsBefore`: sessions when the node was last seen present,
 * because a gone node has none.
 */
export function drainEndOf(node: DrainedNode, sessionsBefore: number): DrainEnd | undefined {
  const { drain, liveness, status } = node;
  const isLost = !isPresent(node) || liveness === 'down';
  if (status === 'stopped')
    return isLost || drain?.isDone === true ? { word: 'stopped', exitCode: EXIT.ok } : undefined;
  if (drain?.isDone === true && !isLost) return endOfDone(drain);
  if (!isLost) return undefined;
  if (sessionsBefore === 0) return { word: drainEndText('empty', 0), exitCode: EXIT.ok };
  return { word: drainEndText('killed', sessionsBefore), exitCode: EXIT.failed };
}

/** A drain that is done and not empty has reached its deadline. */
export function endOfDone({
  sessionsLeft,
  inFlight,
  tunnels,
  waitingFor,
}: Pick<NonNullable<NodeResource['drain']>, 'sessionsLeft' | 'inFlight' | 'tunnels' | 'waitingFor'>): DrainEnd {
  if (waitingFor.length > 0)
    return {
      word: `${drainEndText('deadline-over', sessionsLeft)}, and unknown at ${waitingFor.join(', ')}`,
      exitCode: EXIT.timedOut,
    };
  if (sessionsLeft === 0 && inFlight === 0 && tunnels === 0)
    return { word: drainEndText('empty', 0), exitCode: EXIT.ok };
  return { word: drainEndText('deadline-over', sessionsLeft), exitCode: EXIT.timedOut };
}
