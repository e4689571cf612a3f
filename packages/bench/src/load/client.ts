/** A connection of the load generator. It has at most one request in flight. */

/** Receives the outcome of each request of a client. */
export interface ClientListener {
  /** The response is complete and as expected. */
  onAnswer(client: Client): void;
  /** The response is wrong, or the connection failed. The client may send again. */
  onFailure(client: Client, why: string): void;
}

export interface Client {
  /** Due time of the request in flight, milliseconds of the process clock; NaN without one. The owner sets it. */
  dueAtMs: number;
  /** Sends one request or message. Opens a connection first if there is none. */
  send(): void;
  /** Aborts the request in flight and closes the connection, without a call of the listener. */
  abandon(): void;
}
