/** Messages between the sample node and the tests. */

/** Body of an answer. */
export interface NodeAnswer {
  /** The request's `x-request-id`. */
  readonly id: string;
  readonly node: string;
  /** One process of a node. */
  readonly instance: string;
  readonly pid: number;
  /** Requests of this session that this process has answered, this one included. */
  readonly count: number;
  /** This process had no state of the session. */
  readonly fresh: boolean;
  /** Size of the request's body. */
  readonly bytes: number;
  /** When it was answered, on the clock of `nowMs`: orders the answers of one session over all nodes. */
  readonly atMs: number;
}

/** A change of behaviour. Fields that are left out change nothing. */
export interface SampleOrder {
  /** Status of the ready page and the pauses before its answers, in turn. */
  readonly ready?: { readonly status: number; readonly delaysMs: readonly number[] };
  /** `closed` also closes what is open. */
  readonly listener?: 'closed' | 'open';
  /** `closed`: each connection is accepted and closed at once, and so is what is open. */
  readonly accepted?: 'served' | 'closed';
}

export interface SampleState {
  readonly node: string;
  readonly instance: string;
  readonly pid: number;
}
