/** One connection of the load generator; it sends one thing at a time. */

/** Told by a client when what it has sent is over. */
export interface ClientListener {
  /** The answer is there and as expected. */
  onAnswer(client: Client): void;
  /** It is not, or the connection broke. The client may send again. */
  onFailure(client: Client, why: string): void;
}

export interface Client {
  /** When what is under way was due, milliseconds of the process's clock; NaN while nothing is. The owner sets it. */
  dueAtMs: number;
  /** Sends one request or message, on a connection it opens first if it has none. */
  send(): void;
  /** Gives up what is under way and closes the connection; the listener hears nothing. */
  abandon(): void;
}
