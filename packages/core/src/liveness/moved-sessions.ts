/**
 * The new nodes of sessions of lost nodes, kept while their clients may still send the old route. All requests of a session go to one new
 * node, also before the client has received the new route, and when the old node returns.
 */

/** How long a move is remembered, milliseconds. */
export const MOVE_REMEMBERED_MS = 60_000;
/** Moves remembered at once; the oldest are forgotten first. */
const MAX_MOVES = 100_000;

interface Move<Node> {
  readonly to: Node;
  readonly atMs: number;
}

export class MovedSessions<Node> {
  /** By session id as sent by the client, which names the old route; oldest first. */
  readonly #moves = new Map<string, Move<Node>>();

  get size(): number {
    return this.#moves.size;
  }

  /** The node that the session moved to within the last minute; `undefined` when it has not moved. */
  find(sessionId: string, nowMs: number): Node | undefined {
    if (this.#moves.size === 0) return undefined;
    const move = this.#moves.get(sessionId);
    if (move === undefined) return undefined;
    if (nowMs - move.atMs < MOVE_REMEMBERED_MS) return move.to;
    this.#moves.delete(sessionId);
    return undefined;
  }

  /** Records that the session goes to `to` from now on; replaces an earlier move. */
  remember(sessionId: string, to: Node, nowMs: number): void {
    this.#moves.delete(sessionId);
    this.#moves.set(sessionId, { to, atMs: nowMs });
    if (this.#moves.size > MAX_MOVES) this.#forgetOldest();
  }

  /** Forgets a move: the node that took the session over is lost as well. */
  forget(sessionId: string): void {
    this.#moves.delete(sessionId);
  }

  #forgetOldest(): void {
    for (const sessionId of this.#moves.keys()) {
      this.#moves.delete(sessionId);
      return;
    }
  }
}
