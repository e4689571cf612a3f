import type { Timers } from '../timers.ts';

interface Pending {
  readonly atMs: number;
  readonly run: () => void;
}

/** Time that only a test moves. */
export class ManualTimers implements Timers {
  #nowMs = 0;
  readonly #pending = new Set<Pending>();

  nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): () => void {
    const entry = { atMs: this.#nowMs + delayMs, run };
    this.#pending.add(entry);
    return () => this.#pending.delete(entry);
  }

  /** Timers that wait. */
  get size(): number {
    return this.#pending.size;
  }

  /** Moves time on and runs what falls due, in order, each at its own instant. */
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
