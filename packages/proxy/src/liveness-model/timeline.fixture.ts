import { Heap } from '@rollcall/core';

/** Events in the order of their instants; nothing happens between two of them. */
export class Timeline {
  nowMs = 1_000_000;
  #count = 0;
  readonly #events = new Heap<{ readonly atMs: number; readonly order: number; readonly run: () => void }>(
    (one, other) => one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order),
  );

  /** Runs `run` in `delayMs`; returns a function that cancels it. */
  in(delayMs: number, run: () => void): () => void {
    let isWanted = true;
    const go = (): void => {
      if (isWanted) run();
    };
    this.#events.put({ atMs: this.nowMs + Math.max(0, delayMs), order: this.#count++, run: go });
    return () => {
      isWanted = false;
    };
  }

  /** Runs repeatedly, first in `firstMs`. */
  every(firstMs: number, everyMs: number, run: () => void): void {
    this.in(firstMs, () => {
      this.every(everyMs, everyMs, run);
      run();
    });
  }

  /** Advances the time to `endMs`. */
  runUntil(endMs: number): void {
    for (;;) {
      const next = this.#events.items[0];
      if (next === undefined || next.atMs > endMs) break;
      this.#events.take();
      this.nowMs = next.atMs;
      next.run();
    }
    this.nowMs = endMs;
  }
}
