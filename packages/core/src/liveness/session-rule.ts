/**
 * How the requests of a session are handled, by the two witnesses: heartbeats (is the node up?) and the state of its port at this worker.
 *
 * |         | answers | unknown     | unresponsive | refused             |
 * |---------|---------|-------------|--------------|---------------------|
 * | up      | forward | forward     | park         | park 3 s, then move |
 * | suspect | forward | probe first | park         | move                |
 *
 * An established session leaves its node only by a cell with `move`, by `given up`, or because the node is gone or stopped.
 */
import type { PortState } from '@rollcall/protocol';

/**
 * `forward`: send it to the node. `ask`: keep it, unsent, until the first probe has ended. `park`: keep it, unsent, until the node answers
 * or another verdict takes over. `move`: another node takes the session over for good.
 */
export type SessionVerdict = 'forward' | 'ask' | 'park' | 'move';

/** How long an up node may refuse before its sessions move, milliseconds: a program that restarts its listener takes less. */
export const HEARD_REFUSAL_MS = 3_000;

/** The cell of the table. `isHeard` selects the row. `refusedForMs` is how long the port has been refusing; it is used for up nodes only. */
export function sessionVerdict(isHeard: boolean, port: PortState, refusedForMs: number): SessionVerdict {
  switch (port) {
    case 'answers':
      return 'forward';
    case 'unknown':
      return isHeard ? 'forward' : 'ask';
    case 'unresponsive':
      return 'park';
    case 'refused':
      return isHeard && refusedForMs < HEARD_REFUSAL_MS ? 'park' : 'move';
  }
}
