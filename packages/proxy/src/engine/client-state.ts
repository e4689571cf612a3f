/** The states of one client connection, and which may follow which. `client-connection.ts` has them as a diagram. */

/**
 * - `reading-head`: no request is in progress. The octets that arrive belong to a request head. A new connection starts here.
 * - `receiving-body`: a request is in progress, and the octets that arrive belong to its body.
 * - `answering`: a request is in progress and complete. The octets that arrive belong to the next request, and are kept.
 * - `waiting`: a request is parked until a node may take it. The octets that arrive are kept, within the bounds of parking.
 * - `resuming`: the last answer is complete. The kept octets are read as a request in the next turn of the event loop.
 * - `tunnelling`: the connection is upgraded. A `ClientTunnel` takes the octets that arrive.
 * - `lingering`: the last answer is written and the proxy has closed its side. The octets that arrive are discarded.
 * - `closed`: the socket is destroyed. Final.
 */
export type ClientState =
  | 'reading-head'
  | 'receiving-body'
  | 'answering'
  | 'waiting'
  | 'resuming'
  | 'tunnelling'
  | 'lingering'
  | 'closed';

/**
 * The states that may follow each state. `reading-head` follows itself after an answer that needs no exchange, e.g. a health check.
 * `waiting` follows itself if the request then waits for something else. `reading-head` follows `receiving-body` if the proxy answers in the
 * same turn as the body ends.
 */
export const TRANSITIONS: Readonly<Record<ClientState, readonly ClientState[]>> = {
  'reading-head': ['answering', 'receiving-body', 'reading-head', 'lingering', 'closed'],
  'receiving-body': ['answering', 'waiting', 'reading-head', 'lingering', 'closed'],
  answering: ['reading-head', 'resuming', 'waiting', 'tunnelling', 'lingering', 'closed'],
  waiting: ['answering', 'receiving-body', 'waiting', 'reading-head', 'resuming', 'lingering', 'closed'],
  resuming: ['reading-head', 'lingering', 'closed'],
  tunnelling: ['closed'],
  lingering: ['closed'],
  closed: [],
};

/** A transition that is not in the table: an internal error of the proxy, whatever the client sent. */
export class IllegalTransition extends Error {
  override readonly name = 'IllegalTransition';
  readonly from: ClientState;
  readonly to: ClientState;

  constructor(from: ClientState, to: ClientState) {
    super(`a client connection cannot go from ${from} to ${to}`);
    this.from = from;
    this.to = to;
  }
}

/** Returns `to`. Throws `IllegalTransition` if `to` may not follow `from`. */
export function transition(from: ClientState, to: ClientState): ClientState {
  if (!TRANSITIONS[from].includes(to)) throw new IllegalTransition(from, to);
  return to;
}
