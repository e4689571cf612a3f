/** How many sessions a node has: those it has heard of within `idleMs`. */
export class SessionsSeen {
  readonly #idleMs: number;
  /** By when they were last heard of. */
  readonly #lastMs = new Map<string, number>();

  constructor(idleMs: number) {
    this.#idleMs = idleMs;
  }

  see(session: string, nowMs: number): void {
    // Deleted first, so that the map stays in the order of time.
    this.#lastMs.delete(session);
    this.#lastMs.set(session, nowMs);
  }

  count(nowMs: number): number {
    for (const [session, lastMs] of this.#lastMs) {
      if (nowMs - lastMs <= this.#idleMs) break;
      this.#lastMs.delete(session);
    }
    return this.#lastMs.size;
  }
}
