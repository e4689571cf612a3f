/**
 * Where the sessions of lost nodes have gone, for as long as their clients may still name the old route. All requests of a session go to the
 * same new node, also while answers that carry the new route are on their way, and when the old node returns.
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
  /** By session id as sent, which names the old route; oldest first. */
  readonly #moves = new Map<string, Move<Node>>();

  get size(): number {
    return this.#moves.size;
  }

  /** Where the session has gone within the last minute; `undefined` when it has not moved. */
  find(sessionId: string, nowMs: number): Node | undefined {
    if (this.#moves.size === 0) return undefined;
    const move = this.#moves.get(sessionId);
    if (move === undefined) return undefined;
    if (nowMs - move.atMs < MOVE_REMEMBERED_MS) return move.to;
    this.#moves.delete(sessionId);
    return undefined;
  }

  /** The session goes to `to` from now on; replaces an earlier move. */
  remember(sessionId: string, to: Node, nowMs: number): void {
    this.#moves.delete(sessionId);
    this.#moves.set(sessionId, { to, atMs: nowMs });
    if (this.#moves.size > MAX_MOVES) this.#forgetOldest();
  }

  /** The node that took the session over is lost as well. */
  forget(sessionId: string): void {
    this.#moves.delete(sessionId);
  }

  /** Drops moves that are too old, oldest first. */
  expire(nowMs: number): void {
    for (const [sessionId, { atMs }] of this.#moves) {
      if (nowMs - atMs < MOVE_REMEMBERED_MS) return;
      this.#moves.delete(sessionId);
    }
  }

  #forgetOldest(): void {
    for (const sessionId of this.#moves.keys()) {
      this.#moves.delete(sessionId);
      return;
    }
  }
}
