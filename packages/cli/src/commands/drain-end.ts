/** How a drain or stop of one node has ended, in the words of `drain --wait` and `nodes`. */
import { isPresent, type NodeResource } from '@rollcall/protocol';
import { EXIT } from '../exit.ts';
import { counted } from '../format.ts';

export interface DrainEnd {
  /** `empty`, `deadline over, N sessions left`, `killed with N sessions`, or `stopped`. */
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
  if (sessionsBefore === 0) return { word: 'empty', exitCode: EXIT.ok };
  return { word: `killed with ${counted(sessionsBefore, 'session')}`, exitCode: EXIT.failed };
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
      word: `deadline over, ${counted(sessionsLeft, 'session')} left, and unknown at ${waitingFor.join(', ')}`,
      exitCode: EXIT.timedOut,
    };
  if (sessionsLeft === 0 && inFlight === 0 && tunnels === 0) return { word: 'empty', exitCode: EXIT.ok };
  return { word: `deadline over, ${counted(sessionsLeft, 'session')} left`, exitCode: EXIT.timedOut };
}
