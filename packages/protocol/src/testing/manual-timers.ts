interface Pending {
  readonly atMs: number;
  readonly run: () => void;
}

/** Clock and timers that only a test advances. */
export class ManualTimers {
  #nowMs: number;
  readonly #pending = new Set<Pending>();

  constructor(startMs = 0) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): () => void {
    const entry = { atMs: this.#nowMs + Math.max(0, delayMs), run };
    this.#pending.add(entry);
    return () => this.#pending.delete(entry);
  }

  /** Number of pending timers. */
  get size(): number {
    return this.#pending.size;
  }

  /** Advances the clock by `byMs` milliseconds and runs the due timers in order, each at its own instant. */
  advance(byMs: number): void {
    const endMs = this.#nowMs + byMs;
    for (;;) {
      let next: Pending | undefined;
      for (const entry of this.#pending) {
        if (entry.atMs <= endMs && (next === undefined || entry.atMs < next.atMs)) next = entry;
      }
      if (next === undefined) break;
      this.#pending.delete(next);
      this.#nowMs = next.atMs;
      next.run();
    }
    this.#nowMs = endMs;
  }
}
