/** The input of the judge: the records of the client and the faults of the drill. Instants are those of `nowMs`. */

/** One request, from its arrival in the schedule to its end. */
export interface Exchange {
  readonly id: string;
  readonly session: string;
  readonly method: 'GET' | 'POST';
  /** Port of the proxy that got it, where clients use several. */
  readonly port?: number;
  readonly arrivedMs: number;
  readonly endMs: number;
  /** Status of a complete answer. */
  readonly status?: number;
  /** Reason why the answer is missing or wrong. */
  readonly error?: string;
  /** From the body of an answer with status 200. */
  readonly answer?: {
    readonly node: string;
    readonly instance: string;
    readonly fresh: boolean;
    readonly atMs: number;
  };
  /** Process id of the worker that had the connection, where that is known. */
  readonly worker?: number;
}

/** A period in which a node could not answer. A killed node has one from its end to the start of the next process. */
export interface Outage {
  readonly node: string;
  readonly fromMs: number;
  /** `Infinity` when it did not end. */
  toMs: number;
}

export interface Ledger {
  readonly exchanges: readonly Exchange[];
  /** When the first fault began and was in force; a request that arrived before `inForceMs` was sent before the fault. */
  readonly faultMs: number;
  readonly inForceMs: number;
  readonly outages: readonly Outage[];
  /** Broken tunnels and uploads, one sentence each. */
  readonly broken: readonly string[];
  /** When set, only answers through this worker (process id) are judged for lost sessions. */
  readonly judgedWorker?: number;
}
